"""A volume: slices on one regular grid, in the order of their positions.

Geometry comes from ImagePositionPatient and ImageOrientationPatient only (PS3.3 C.7.6.2.1.1), never from
SliceLocation, InstanceNumber or SpacingBetweenSlices.
"""

from __future__ import annotations

from dataclasses import dataclass

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Slice:
    """One plane of a volume and the image that it came from."""

    sop_instance_uid: str
    sop_class_uid: str
    frame: int | None  # from 1 in a multi-frame instance; None in a single-frame one
    position: Vector  # ImagePositionPatient, mm: centre of the first voxel


@dataclass(frozen=True)
class Volume:
    """Slices that share orientation, matrix and spacing and differ in nothing but position."""

    key: str  # "" when the series is one volume, else what tells it from its siblings: "EchoTime=6.3"
    slices: tuple[Slice, ...]  # ascending along the normal
    row_direction: Vector  # unit vector along which the column index grows
    column_direction: Vector  # unit vector along which the row index grows
    pixel_spacing: tuple[float, float]  # mm between rows, mm between columns (PS3.3 10.7.1.3)
    slice_spacing: float  # mm between neighbouring slice centres along the normal; 0 for a single slice
    rows: int
    columns: int
    frame_of_reference_uid: str
