"""What is measured on a segment: the very voxels that the Segmentation holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.core.card import Card
from node.core.results.bits import Bits
from node.core.results.diameter import diameter_of
from node.core.volume import Volume


@dataclass(frozen=True)
class SegmentMeasurement:
    """Size and brightness of one segment."""

    number: int  # SegmentNumber
    label: str
    voxels: int
    volume_ml: float | None  # 1 ml = 1 cm3; None for a lone slice whose thickness is not known
    mean: float | None  # of the modality values inside; None for a segment without voxels
    sd: float | None  # population standard deviation of the same values
    diameter_mm: float | None = None  # maximum 3D diameter; None without voxels, or where the volume is not known
    largest: int | None = None  # the slice of the volume with most of it; None without voxels


def measure(
    volume: Volume, segments: Sequence[Bits], values: NDArray[np.float32], card: Card, thickness: float | None
) -> tuple[SegmentMeasurement, ...]:
    """Measure every segment of the card.

    `values` are the modality values, (slices, rows, columns) in volume order. `thickness` in mm stands in for the
    spacing of a volume that is a lone slice. Raises ValueError where `values` do not have the shape of the labels.
    """
    promised = (len(volume.slices), volume.rows, volume.columns)
    if values.shape != promised:
        raise ValueError(f"values have the shape {values.shape}, the labels {promised}")
    depth = volume.slice_spacing or thickness
    voxel_ml = None if depth is None else volume.pixel_spacing[0] * volume.pixel_spacing[1] * depth / 1000
    made: list[SegmentMeasurement] = []
    for segment, bits in zip(card.segments, segments, strict=True):
        voxels = int(bits.voxels.sum())
        size = None if voxel_ml is None else voxels * voxel_ml
        mean, sd = _spread(bits, values)
        diameter = None if depth is None else diameter_of(bits, (depth, *volume.pixel_spacing))
        largest = int(bits.voxels.argmax()) if voxels else None
        made.append(SegmentMeasurement(segment.number, segment.label, voxels, size, mean, sd, diameter, largest))
    return tuple(made)


def _spread(bits: Bits, values: NDArray[np.float32]) -> tuple[float | None, float | None]:
    """Mean and population standard deviation of the values inside, joined slice by slice in double precision.

    Sums of squares about the mean of each slice do not cancel (Chan, Golub, LeVeque 1983).
    """
    count, mean, squares = 0, 0.0, 0.0
    for index in np.flatnonzero(bits.voxels).tolist():
        inside = values[index][bits.plane(index)].astype(np.float64)
        total, own = count + inside.size, float(inside.mean())
        inside -= own
        away = own - mean
        squares += float(np.square(inside, out=inside).sum()) + away * away * count * inside.size / total
        mean += away * inside.size / total
        count = total
    return (mean, math.sqrt(squares / count)) if count and math.isfinite(mean + squares) else (None, None)
