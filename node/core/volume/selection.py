"""Which volume of a series is wanted.

A selector is text of a rule: conditions parted by commas. `EchoTime=6.3` asks for the volumes whose value
rounds to the number at the digits that are written; text is compared without case. Names are DICOM keywords:
Orientation (axial, sagittal, coronal, oblique), Matrix, StackID, ComplexImageComponent (M, P, R, I), EchoTime,
DiffusionBValue, InversionTime, ImageType (any one of its values), TemporalPositionIdentifier, TriggerTime,
AcquisitionNumber, DiffusionGradientOrientation, VasCollapseFlag; short: b, te, ti. The word `first` takes the
first of those that are left, in ascending order of their values, where they have one orientation. Without a
selector the series must hold exactly one volume. The key of a volume is a selector that finds it again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from node.core.dicom import Facts
from node.core.volume.grid import grid, volume
from node.core.volume.model import Volume
from node.core.volume.planes import planes
from node.core.volume.splitting import Part, orientations, parts, places_taken, shown
from node.errors import NotProcessable

_SHORT = {"b": "DiffusionBValue", "te": "EchoTime", "ti": "InversionTime"}
_NAMES = {
    name.lower(): name
    for name in (
        "Orientation", "Matrix", "PixelSpacing", "StackID", "ComplexImageComponent", "EchoTime", "DiffusionBValue",
        "InversionTime", "ImageType", "DiffusionGradientOrientation", "TemporalPositionIdentifier", "TriggerTime",
        "AcquisitionNumber", "VasCollapseFlag",
    )
}  # fmt: skip
_LISTED = 8  # names of volumes in one sentence


@dataclass(frozen=True)
class _Selector:
    conditions: tuple[tuple[str, str], ...]  # (keyword, wanted value)
    first: bool


def volumes(instances: Sequence[Facts]) -> tuple[Volume, ...]:
    """Every volume that the images of a series make, in ascending order of what tells them apart.

    Parts with a gap, uneven spacing or indistinguishable images are left out; when nothing else is left,
    raises NotProcessable with the reason of the first.
    """
    judged = [(part, grid(part.planes)) for part in parts(planes(instances))]
    sound = tuple(volume(part.key, found) for part, found in judged if found.fault is None)
    if not sound:
        part, found = judged[0]
        raise NotProcessable(_fault_sentence(part, found.fault or ""))
    return sound


def volume_for(instances: Sequence[Facts], wanted: str | None, *, at_least: int, at_most: int) -> Volume:
    """The one volume that a rule wants, with its number of slices within what the model takes.

    Raises NotProcessable with a reason for people: what the series holds instead, or what is wrong with it.
    """
    found = parts(planes(instances))
    selector = _parsed(wanted or "")
    if isinstance(selector, str):
        raise NotProcessable(selector)
    part = _only(found, selector, wanted or "")
    judged = grid(part.planes)
    if judged.fault:
        raise NotProcessable(_fault_sentence(part, judged.fault))
    slices = len(part.planes)
    if not at_least <= slices <= at_most:
        raise NotProcessable(f"{_slices(slices)}{_of(part)}: the model takes {at_least} to {at_most}")
    return volume(part.key, judged)


def selector_fault(wanted: str) -> str | None:
    """What is wrong with the text of a selector, or None. For checking rules before any series comes."""
    parsed = _parsed(wanted)
    return parsed if isinstance(parsed, str) else None


def _parsed(wanted: str) -> _Selector | str:
    conditions: list[tuple[str, str]] = []
    first = False
    for written in (text.strip() for text in wanted.split(",") if text.strip()):
        name, equals, value = written.partition("=")
        keyword = _SHORT.get(name.strip().lower()) or _NAMES.get(name.strip().lower())
        if written.lower() == "first":
            first = True
        elif not equals or not value.strip():
            return f"volume: {written!r} is neither first nor Attribute=value"
        elif keyword is None:
            return f"volume: {name.strip()!r} is not one of {', '.join(_NAMES.values())}"
        else:
            conditions.append((keyword, value.strip()))
    return _Selector(tuple(conditions), first)


def _only(found: Sequence[Part], selector: _Selector, wanted: str) -> Part:
    left = [part for part in found if all(_meets(part, *condition) for condition in selector.conditions)]
    if not left:
        raise NotProcessable(f"no volume with {wanted}: the series holds {_listed(found)}")
    turned = orientations(left)
    if turned > 1:  # `first` orders contrasts; to take one plane of a localizer is never what was meant
        raise NotProcessable(f"{turned} orientations in one series (a localizer): no single volume")
    if len(left) == 1 or selector.first:
        return left[0]
    still = f"{wanted} leaves" if selector.conditions else "the series holds"
    raise NotProcessable(
        f"{_repetition(left) or f'{still} {len(left)} volumes ({_listed(left)})'}: say which with volume:"
    )


def _repetition(left: Sequence[Part]) -> str | None:
    places = places_taken(left)
    if any(len(part.planes) != places for part in left):
        return None
    where = f"each of {places} positions" if places > 1 else "the one position"
    return f"{where} occurs {len(left)} times ({_listed(left)})"


def _listed(found: Sequence[Part]) -> str:
    """EchoTime 6.3, 31.6 when one attribute tells the parts apart, else their whole keys."""
    names = {part.key.partition("=")[0] for part in found if "," not in part.key}
    if len(names) == 1 and all(part.key for part in found) and len(found) > 1 and _single(found):
        values = [part.key.partition("=")[2] for part in found]
        return f"{names.pop()} {', '.join(values[:_LISTED])}{_rest(values)}"
    keys = [part.key or f"one volume of {_slices(len(part.planes))}" for part in found]
    return f"{'; '.join(keys[:_LISTED])}{_rest(keys)}"


def _single(found: Sequence[Part]) -> bool:
    return all(part.key.count("=") == 1 for part in found)


def _rest(names: Sequence[str]) -> str:
    return f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""


def _meets(part: Part, keyword: str, wanted: str) -> bool:
    value = part.values.get(keyword)
    if value is None:
        return wanted.lower() == shown(None)
    if isinstance(value, str):
        return wanted.lower() in (shown(value).lower(), *value.lower().split("\\"))
    return _rounds_to(value, wanted)


def _rounds_to(value: float, wanted: str) -> bool:
    try:
        number = float(wanted)
    except ValueError:
        return False
    if "e" in wanted.lower():
        return math.isclose(value, number, rel_tol=1e-5)
    digits = len(wanted.partition(".")[2])
    return abs(value - number) <= 0.5 * 10.0**-digits + 1e-9


def _fault_sentence(part: Part, fault: str) -> str:
    repeated = "already taken" in fault
    if repeated:
        count, places = len(part.planes), places_taken([part])
        times = f"{count // places} times" if count % places == 0 else f"up to {-(-count // places)} times"
        fault = f"each of {places} positions occurs {times} and no known attribute tells the images apart"
    return f"{fault} in {part.key}" if part.key else fault


def _slices(count: int) -> str:
    return "1 slice" if count == 1 else f"{count} slices"


def _of(part: Part) -> str:
    return f" in {part.key}" if part.key else ""
