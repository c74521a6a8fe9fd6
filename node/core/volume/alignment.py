"""One volume on the grid of another, by where both lie in the patient (PS3.3 C.7.4.1, C.7.6.2.1.1).

Two series of one frame of reference have coordinates in common; nothing else says how they lie to each other, and no
registration is made up. Values between voxels are trilinear; a voxel reaches half a spacing beyond its centre.
Shrinking does not smooth: a grid that is much coarser than the series picks single voxels out of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from node.core.volume.geometry import affine, cross, dot
from node.core.volume.model import Volume
from node.errors import NotProcessable

Values = np.ndarray[Any, np.dtype[np.float32]]
Places = np.ndarray[Any, np.dtype[np.float64]]

_DIGITS = 6  # of an index: what a matrix product leaves behind is no distance
_SAMPLES = 64  # voxels along each axis at which an overlap is looked at
_PARALLEL = 1e-3  # by which direction cosines of parallel planes may differ


def onto(target: Volume, source: Volume) -> Places:
    """4 x 4 matrix from (column, row, slice, 1) indices of the target to those of the source."""
    return np.asarray(np.linalg.inv(affine(source)) @ affine(target))


def resampled(values: Values, source: Volume, target: Volume, outside: float) -> Values:
    """Values of the source (slices, rows, columns) at the voxels of the target, float32; `outside` beyond its edges.

    The volumes must be of one frame of reference: see `demand_alignment`.
    """
    matrix = onto(target, source)
    rows, columns = np.meshgrid(np.arange(target.rows), np.arange(target.columns), indexing="ij")
    first = _spread(matrix[:3, 0]) * columns + _spread(matrix[:3, 1]) * rows + _spread(matrix[:3, 3])
    out = np.empty((len(target.slices), target.rows, target.columns), np.float32)
    for number in range(len(target.slices)):
        out[number] = _interpolated(values, np.round(first + _spread(matrix[:3, 2]) * number, _DIGITS), outside)
    return out


def coverage(source: Volume, target: Volume) -> float:
    """The share of the target's voxels, 0 to 1, whose centre lies within the source."""
    matrix = onto(target, source)
    shape = (target.columns, target.rows, len(target.slices))
    axes = [np.unique(np.linspace(0, size - 1, min(size, _SAMPLES)).round()) for size in shape]
    indices = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1)
    at = np.round(matrix[:3, :3] @ indices + matrix[:3, 3:], _DIGITS)
    return float(_inside(at, (source.columns, source.rows, len(source.slices))).mean())


def demand_alignment(name: str, source: Volume, reference_name: str, reference: Volume, covers_at_least: float) -> None:
    """Raises NotProcessable where nothing says how the two lie to each other, or they hardly overlap."""
    if not source.frame_of_reference_uid or source.frame_of_reference_uid != reference.frame_of_reference_uid:
        raise NotProcessable(
            f"{name} and {reference_name} have different Frame of Reference UIDs: nothing says how they lie to each "
            "other, and the node registers nothing"
        )
    covered = coverage(source, reference)
    if covered < covers_at_least:
        raise NotProcessable(
            f"{name} covers {covered:.0%} of the field of view of {reference_name}: the model needs "
            f"{covers_at_least:.0%}"
        )


def demand_same_planes(name: str, source: Volume, reference_name: str, reference: Volume) -> None:
    """Raises NotProcessable unless slice by slice both lie in the same planes; rows and columns may differ."""
    if len(source.slices) != len(reference.slices):
        told = f"{name} has {len(source.slices)} slices, {reference_name} {len(reference.slices)}"
        raise NotProcessable(f"{told}: the model takes slices of the same planes")
    directions = zip(
        (*source.row_direction, *source.column_direction),
        (*reference.row_direction, *reference.column_direction),
        strict=True,
    )
    if any(abs(one - other) > _PARALLEL for one, other in directions):
        raise NotProcessable(f"the slices of {name} and {reference_name} are turned against each other")
    normal = cross(reference.row_direction, reference.column_direction)
    off = max(
        abs(dot(one.position, normal) - dot(other.position, normal))
        for one, other in zip(source.slices, reference.slices, strict=True)
    )
    if off > max(0.1, 0.05 * reference.slice_spacing):
        raise NotProcessable(
            f"slices of {name} lie up to {off:.1f} mm from those of {reference_name}: the model takes slices of the "
            "same planes"
        )


def _spread(column: Places) -> Places:
    return column[:, None, None]


def _inside(at: Places, shape: tuple[int, int, int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether places (3, ...) in (column, row, slice) lie within the voxels of a volume of that shape."""
    within = [(at[axis] >= -0.5) & (at[axis] <= size - 0.5) for axis, size in enumerate(shape)]
    return np.asarray(within[0] & within[1] & within[2], np.bool_)


def _interpolated(values: Values, at: Places, outside: float) -> Values:
    """Trilinear values at places (3, rows, columns) in (column, row, slice)."""
    slices, rows, columns = values.shape
    shape = (columns, rows, slices)
    inside = _inside(at, shape)
    weights, low, high = [], [], []
    for axis, size in enumerate(shape):
        place = np.clip(at[axis], 0, size - 1)
        floor = np.floor(place)
        weights.append(place - floor)
        low.append(floor.astype(np.intp))
        high.append(np.minimum(low[-1] + 1, size - 1))
    total = np.zeros(inside.shape)
    for z, z_share in ((low[2], 1 - weights[2]), (high[2], weights[2])):
        for y, y_share in ((low[1], 1 - weights[1]), (high[1], weights[1])):
            for x, x_share in ((low[0], 1 - weights[0]), (high[0], weights[0])):
                total += values[z, y, x] * (z_share * y_share * x_share)
    return np.where(inside, total, outside).astype(np.float32)
