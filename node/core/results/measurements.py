"""What is measured on a segment: the very voxels that the Segmentation holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.core.card import Card
from node.core.results.diameter import maximum_diameter
from node.core.results.labels import Labels, mask_of
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


def measure(
    volume: Volume, labels: Labels, values: NDArray[np.float32], card: Card, thickness: float | None
) -> tuple[SegmentMeasurement, ...]:
    """Measure every segment of the card.

    `values` are the modality values, (slices, rows, columns) in volume order. `thickness` in mm stands in for the
    spacing of a volume that is a lone slice. Raises ValueError where `values` do not have the shape of the labels.
    """
    if values.shape != labels.shape:
        raise ValueError(f"values have the shape {values.shape}, the labels {labels.shape}")
    depth = volume.slice_spacing or thickness
    voxel_ml = None if depth is None else volume.pixel_spacing[0] * volume.pixel_spacing[1] * depth / 1000
    made: list[SegmentMeasurement] = []
    for segment in card.segments:
        mask = mask_of(labels, segment.number, card.encoding)
        inside = values[mask]
        size = None if voxel_ml is None else inside.size * voxel_ml
        mean, sd = _spread(inside)
        diameter = None if depth is None else maximum_diameter(mask, (depth, *volume.pixel_spacing))
        made.append(SegmentMeasurement(segment.number, segment.label, inside.size, size, mean, sd, diameter))
    return tuple(made)


def _spread(inside: NDArray[np.float32]) -> tuple[float | None, float | None]:
    if not inside.size:
        return None, None
    mean, sd = float(inside.mean(dtype=np.float64)), float(inside.std(dtype=np.float64))
    return (mean, sd) if np.isfinite(mean) and np.isfinite(sd) else (None, None)
