"""Are planes one regular grid? Spacing, gaps, duplicates and shear, all in mm along the normal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from node.core.volume.geometry import dot
from node.core.volume.model import Slice, Vector, Volume
from node.core.volume.planes import Plane

SAME_PLACE = 0.01  # mm: scanners round positions to this


@dataclass(frozen=True)
class Grid:
    """What the positions of planes amount to. `fault` is None for a regular grid, else the reason."""

    ordered: tuple[Plane, ...]  # ascending along the normal
    spacing: float  # mm; 0 for a single plane
    missing: int  # planes that fit into gaps
    fault: str | None


def places(planes: Sequence[Plane]) -> list[float]:
    """How far each plane lies along the normal of the first, mm."""
    normal = planes[0].normal
    return [dot(plane.position, normal) for plane in planes]


def grid(planes: Sequence[Plane]) -> Grid:
    """Judge planes of one orientation and matrix, at least one."""
    normal = min(planes, key=lambda plane: (plane.position, plane.facts.sop_instance_uid)).normal
    ordered = sorted(planes, key=lambda p: (dot(p.position, normal), p.facts.sop_instance_uid, p.number or 0))
    at = [dot(plane.position, normal) for plane in ordered]
    gaps = [after - before for before, after in pairwise(at)]
    if not gaps:
        return Grid(tuple(ordered), 0.0, 0, None)
    repeated = sum(gap < SAME_PLACE for gap in gaps)
    if repeated:
        return Grid(tuple(ordered), 0.0, 0, f"{repeated} of {len(ordered)} images lie at a place that is already taken")
    sheared = _shear(ordered)
    if sheared:
        return Grid(tuple(ordered), 0.0, 0, sheared)
    usual = sorted(gaps)[(len(gaps) - 1) // 2]  # the lower median: one gap of two is the wrong one, the wider
    missing, fault = _irregular(at, gaps, usual)
    return Grid(tuple(ordered), (at[-1] - at[0]) / len(gaps), missing, fault)


def _tolerance(spacing: float) -> float:
    # 1 % or 0.1 mm absorbs the rounding of real positions; a quarter of the spacing keeps gaps visible in thin ones
    return min(max(0.01 * spacing, 0.1), 0.25 * spacing)


def _irregular(at: Sequence[float], gaps: Sequence[float], usual: float) -> tuple[int, str | None]:
    near = _tolerance(usual)
    odd = [k for k, gap in enumerate(gaps) if abs(gap - usual) > near]
    if not odd:
        return 0, _drift(at, near)
    steps = [round(gaps[k] / usual) for k in odd]
    if all(step >= 2 and abs(gaps[k] - step * usual) <= step * near for k, step in zip(odd, steps, strict=True)):
        missing, k = sum(steps) - len(steps), odd[0]
        where = f"between {at[k]:.1f} and {at[k + 1]:.1f} mm (spacing {usual:.1f} mm)"
        if missing == 1:
            return 1, f"slice missing {where}"
        return missing, f"{missing} slices missing, the first {where}"
    return 0, f"spacing varies from {min(gaps):.1f} to {max(gaps):.1f} mm"


def _drift(at: Sequence[float], near: float) -> str | None:
    """Small steps must not add up: every plane lies where the mean spacing puts it."""
    mean = (at[-1] - at[0]) / (len(at) - 1)
    worst = max(abs(place - at[0] - k * mean) for k, place in enumerate(at))
    return None if worst <= 2 * near else f"slices lie up to {worst:.1f} mm off an even spacing of {mean:.1f} mm"


def _shear(ordered: Sequence[Plane]) -> str | None:
    first = ordered[0]
    off = max(
        math.hypot(dot(step, first.row_direction), dot(step, first.column_direction))
        for plane in ordered
        for step in [_step(first, plane)]
    )
    allowed = max(0.1, 0.25 * min(first.pixel_spacing))
    return None if off <= allowed else f"slices are shifted sideways by up to {off:.1f} mm: not a grid at right angles"


def _step(first: Plane, plane: Plane) -> Vector:
    (x, y, z), (a, b, c) = plane.position, first.position
    return (x - a, y - b, z - c)


def volume(key: str, judged: Grid) -> Volume:
    """The volume of a regular grid."""
    first = judged.ordered[0]
    return Volume(
        key=key,
        slices=tuple(
            Slice(plane.facts.sop_instance_uid, plane.facts.sop_class_uid, plane.number, plane.position)
            for plane in judged.ordered
        ),
        row_direction=first.row_direction,
        column_direction=first.column_direction,
        pixel_spacing=first.pixel_spacing,
        slice_spacing=judged.spacing,
        rows=first.facts.rows or 0,
        columns=first.facts.columns or 0,
        frame_of_reference_uid=first.facts.frame_of_reference_uid,
    )
