"""Where a volume lies in the patient (PS3.3 C.7.6.2.1.1, 10.7.1.3)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from node.core.volume.model import Vector, Volume
from node.errors import NotProcessable

Matrix = np.ndarray[Any, np.dtype[np.float64]]

_PLANES = ("sagittal", "coronal", "axial")  # the patient axis x, y, z that the normal is nearest to


def affine(volume: Volume) -> Matrix:
    """4 x 4 matrix that takes (column, row, slice, 1) indices, from 0, to patient coordinates (LPS) in mm.

    A single slice has no spacing; 1 mm stands for it, so that the matrix can be inverted.
    """
    matrix = np.eye(4)
    matrix[:3, 0] = np.multiply(volume.row_direction, volume.pixel_spacing[1])
    matrix[:3, 1] = np.multiply(volume.column_direction, volume.pixel_spacing[0])
    matrix[:3, 2] = np.multiply(_normal(volume), volume.slice_spacing or 1.0)
    matrix[:3, 3] = volume.slices[0].position
    return matrix


def voxel_volume_ml(volume: Volume) -> float:
    """Millilitres that one voxel stands for: by distances of slice centres, gaps between slices included.

    Raises NotProcessable for a single slice, which has no spacing.
    """
    if not volume.slice_spacing:
        raise NotProcessable("a single slice has no slice spacing, so no volume can be measured")
    return volume.pixel_spacing[0] * volume.pixel_spacing[1] * volume.slice_spacing / 1000.0


def orientation(volume: Volume) -> str:
    """axial, sagittal or coronal: the plane within 45 degrees; oblique when none is that near."""
    return orientation_of(_normal(volume))


def obliquity(volume: Volume) -> float:
    """Degrees between the slices and the nearest plane of the patient: 0 to 54.7."""
    return _tilt(_normal(volume))


def orientation_of(normal: Vector) -> str:
    """The same as `orientation`, for a unit normal."""
    nearest = max(range(3), key=lambda axis: abs(normal[axis]))
    return _PLANES[nearest] if _tilt(normal) <= 45.0 + 1e-9 else "oblique"


def _tilt(normal: Vector) -> float:
    return math.degrees(math.acos(min(1.0, max(abs(value) for value in normal))))


def _normal(volume: Volume) -> Vector:
    return cross(volume.row_direction, volume.column_direction)


def cross(a: Vector, b: Vector) -> Vector:
    """Vector product."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(a: Vector) -> Vector:
    """The vector at length 1; it must not be zero."""
    length = math.sqrt(dot(a, a))
    return (a[0] / length, a[1] / length, a[2] / length)
