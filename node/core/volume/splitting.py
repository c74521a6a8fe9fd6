"""Splitting a series into parts that differ in nothing but position.

Two kinds of attributes tell images apart. Those that change what a voxel means (orientation, matrix, stack,
component, echo, b-value, inversion time, image type) always split. Those that merely count acquisitions
(gradient, temporal position, trigger, acquisition number …) split only where several images lie at one place:
they also differ from slice to slice in ordinary series, where they mean nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from node.core.dicom import Frame
from node.core.volume.geometry import dot, orientation_of
from node.core.volume.grid import SAME_PLACE
from node.core.volume.model import Vector
from node.core.volume.planes import Plane
from node.errors import NotProcessable

SAME_DIRECTION = 2e-3  # largest difference of direction cosines within one orientation
ORIENTATIONS_AT_MOST = 100

Value = float | str | None
Values = Mapping[str, Value]  # attribute keyword -> value that all planes of a part share


@dataclass(frozen=True)
class Part:
    """Planes that share every attribute in `values`; `key` holds those that tell it from the other parts."""

    planes: tuple[Plane, ...]
    values: Values
    key: str = ""


def parts(planes: Sequence[Plane]) -> tuple[Part, ...]:
    """All parts of a series in a fixed order: that of their attributes' values. Raises NotProcessable."""
    found: list[Part] = []
    for geometry in _by_geometry(planes):
        found.extend(part for contrast in _by_contrast(geometry) for part in _by_repeat(contrast))
    found.sort(key=lambda part: tuple(_rank(value) for value in part.values.values()))
    return _named(found)


def orientations(found: Sequence[Part]) -> int:
    """How many different orientations the parts have."""
    return len({part.values["Orientation"] for part in found})


def _by_geometry(planes: Sequence[Plane]) -> list[Part]:
    # planes come in the order of their UIDs, so that clusters do not depend on arrival
    clusters: list[tuple[Plane, list[Plane]]] = []
    for plane in planes:
        for example, members in clusters:
            if _same_geometry(example, plane):
                members.append(plane)
                break
        else:
            if len(clusters) == ORIENTATIONS_AT_MOST:
                raise NotProcessable(f"more than {ORIENTATIONS_AT_MOST} orientations in one series: no single volume")
            clusters.append((plane, [plane]))
    clusters.sort(key=lambda cluster: _geometry_order(cluster[0]))
    names = _orientation_names([example for example, _ in clusters])
    return [
        Part(tuple(members), {"Orientation": name, "Matrix": _matrix(example), "PixelSpacing": _spacing(example)})
        for name, (example, members) in zip(names, clusters, strict=True)
    ]


def _same_geometry(a: Plane, b: Plane) -> bool:
    return (
        _matrix(a) == _matrix(b)
        and _close(a.pixel_spacing, b.pixel_spacing, 1e-3 * min(a.pixel_spacing))
        and _same_orientation(a, b)
    )


def _same_orientation(a: Plane, b: Plane) -> bool:
    return _close(a.row_direction, b.row_direction, SAME_DIRECTION) and _close(
        a.column_direction, b.column_direction, SAME_DIRECTION
    )


def _close(a: Sequence[float], b: Sequence[float], near: float) -> bool:
    return all(abs(x - y) <= near for x, y in zip(a, b, strict=True))


def _geometry_order(plane: Plane) -> tuple[int, Vector, Vector, str]:
    names = ("axial", "coronal", "sagittal", "oblique")
    return (names.index(orientation_of(plane.normal)), plane.row_direction, plane.column_direction, _matrix(plane))


def _orientation_names(examples: Sequence[Plane]) -> list[str]:
    """axial, coronal …; further orientations near the same plane are called axial-2, axial-3."""
    distinct: list[tuple[Plane, str]] = []
    names: list[str] = []
    for example in examples:
        known = next((name for seen, name in distinct if _same_orientation(seen, example)), None)
        if known is None:
            plane = orientation_of(example.normal)
            before = sum(name.split("-")[0] == plane for _, name in distinct)
            known = f"{plane}-{before + 1}" if before else plane
            distinct.append((example, known))
        names.append(known)
    return names


def _matrix(plane: Plane) -> str:
    return f"{plane.facts.rows}x{plane.facts.columns}"


def _spacing(plane: Plane) -> str:
    return f"{plane.pixel_spacing[0]:.4g}x{plane.pixel_spacing[1]:.4g}"


# In the order in which a key names them.
_CONTRAST: dict[str, Callable[[Frame], Value]] = {
    "StackID": lambda frame: frame.stack_id,
    "ComplexImageComponent": lambda frame: frame.component,
    "EchoTime": lambda frame: frame.echo_time,
    "DiffusionBValue": lambda frame: frame.b_value,
    "InversionTime": lambda frame: frame.inversion_time,
    "ImageType": lambda frame: "\\".join(frame.image_type),
}
_JITTER = {"EchoTime": 0.02, "InversionTime": 0.1}  # ms by which one nominal value is seen to vary


def _by_contrast(part: Part) -> list[Part]:
    found = [part]
    for name, value in _CONTRAST.items():
        found = [piece for whole in found for piece in _split(whole, name, value, _JITTER.get(name, 0.0))]
    return found


_REPEAT: dict[str, Callable[[Frame], Value]] = {
    "DiffusionGradientOrientation": lambda frame: frame.gradient and " ".join(f"{x:.3f}" for x in frame.gradient),
    "TemporalPositionIdentifier": lambda frame: frame.temporal_position,
    "TriggerTime": lambda frame: frame.trigger_time,
    "AcquisitionNumber": lambda frame: frame.acquisition_number,
    "VasCollapseFlag": lambda frame: frame.collapse,  # GE (0043,xx30)
}


def _by_repeat(part: Part) -> list[Part]:
    """Split until every place is taken once, by the attributes that lead there; else leave it as it is."""
    found = [part]
    for name, value in _REPEAT.items():
        found = [piece for whole in found for piece in _split_repeats(whole, name, value)]
    return found


def _split_repeats(part: Part, name: str, value: Callable[[Frame], Value]) -> list[Part]:
    most = _most_at_one_place(part.planes)
    pieces = _split(part, name, value, 0.0)
    if most == 1 or len(pieces) == 1:
        return [replace(part, values={**part.values, name: pieces[0].values[name] if len(pieces) == 1 else None})]
    left = max(_most_at_one_place(piece.planes) for piece in pieces)
    if len(pieces) * left <= most:
        return pieces
    # the phases of a gated series have other trigger times in every slice: their order is what they share
    return (_phases(part) if name == "TriggerTime" else None) or [replace(part, values={**part.values, name: None})]


def _phases(part: Part) -> list[Part] | None:
    found: dict[int, list[Plane]] = defaultdict(list)
    taken = _at_one_place(part.planes)
    if len({len(planes) for planes in taken}) != 1:
        return None
    for planes in taken:
        times = [plane.frame.trigger_time for plane in planes]
        if None in times or len(set(times)) != len(times):
            return None
        for phase, plane in enumerate(sorted(planes, key=lambda p: p.frame.trigger_time or 0.0), 1):
            found[phase].append(plane)
    return [
        replace(part, planes=tuple(ps), values={**part.values, "TriggerTime": f"phase {n}"}) for n, ps in found.items()
    ]


def _split(part: Part, name: str, value: Callable[[Frame], Value], near: float) -> list[Part]:
    nominal = _nominal({value(plane.frame) for plane in part.planes}, near)
    found: dict[Value, list[Plane]] = defaultdict(list)
    for plane in part.planes:
        found[nominal[value(plane.frame)]].append(plane)
    return [replace(part, planes=tuple(found[v]), values={**part.values, name: v}) for v in sorted(found, key=_rank)]


def _nominal(values: set[Value], near: float) -> dict[Value, Value]:
    """Values that differ by jitter only count as one: the least of them."""
    found: dict[Value, Value] = {}
    least: Value = None
    for value in sorted(values, key=_rank):
        together = isinstance(value, float) and isinstance(least, float) and value - least <= near
        least = least if together else value
        found[value] = least
    return found


def _at_one_place(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Planes grouped by position, ascending along the normal."""
    normal = planes[0].normal
    groups: list[list[Plane]] = []
    last = 0.0
    for plane in sorted(planes, key=lambda p: (dot(p.position, normal), p.facts.sop_instance_uid, p.number or 0)):
        at = dot(plane.position, normal)
        if groups and at - last < SAME_PLACE:
            groups[-1].append(plane)
        else:
            groups.append([plane])
        last = at
    return groups


def _most_at_one_place(planes: Sequence[Plane]) -> int:
    return max(len(group) for group in _at_one_place(planes))


def places_taken(found: Sequence[Part]) -> int:
    """How many places the planes of parts of one orientation lie at."""
    return len(_at_one_place([plane for part in found for plane in part.planes]))


def _rank(value: Value) -> tuple[int, float, str]:
    """Sorts absent before numbers before text."""
    if value is None:
        return (0, 0.0, "")
    return (2, 0.0, value) if isinstance(value, str) else (1, float(value), "")


def shown(value: Value) -> str:
    """A value as a key names it; harmless whatever the header holds."""
    if value is None:
        return "absent"
    if isinstance(value, str):
        return "".join(c for c in value[:64] if c.isascii() and (c.isalnum() or c in r" _-.\x"))
    return f"{value:.6g}"


def _named(found: Sequence[Part]) -> tuple[Part, ...]:
    """Give every part the key that tells it from the others, of as few attributes as it takes."""
    names: list[str] = []
    apart = 1
    for name in dict.fromkeys(name for part in found for name in part.values):
        tried = [*names, name]
        groups = len({_combination(part, tried) for part in found})
        if groups > apart:
            names, apart = tried, groups
    return tuple(replace(part, key=",".join(f"{n}={shown(part.values.get(n))}" for n in names)) for part in found)


def _combination(part: Part, names: Sequence[str]) -> Hashable:
    return tuple(part.values.get(name) for name in names)
