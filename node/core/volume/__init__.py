"""Volumes of MR series: which there are, which one is wanted, and why there is none."""

from node.core.volume.alignment import coverage, demand_alignment, demand_same_planes, resampled
from node.core.volume.assessment import Assessment, assess
from node.core.volume.geometry import affine, obliquity, orientation, voxel_volume_ml
from node.core.volume.model import Slice, Vector, Volume
from node.core.volume.selection import selector_fault, volume_for, volumes

__all__ = [
    "Assessment",
    "Slice",
    "Vector",
    "Volume",
    "affine",
    "assess",
    "coverage",
    "demand_alignment",
    "demand_same_planes",
    "obliquity",
    "orientation",
    "resampled",
    "selector_fault",
    "volume_for",
    "volumes",
    "voxel_volume_ml",
]
