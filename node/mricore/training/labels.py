"""Labels without a learned tool: thresholds and morphology, for T1 and PD heads.

They are good enough to teach a demonstration model the shapes of head and brain; they are no reference standard.
Every length is in millimetres and is applied through a Euclidean distance transform, so that thick slices are
treated as what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from node.mricore.training.series import Volume

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ellipsoid:
    """A region drawn by eye on one series, in voxels: slice, row, column."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]

    def mask(self, shape: tuple[int, ...]) -> Mask:
        """The voxels inside it."""
        steps = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij", sparse=True)
        parts = [((step - at) / radius) ** 2 for step, at, radius in zip(steps, self.centre, self.radii, strict=True)]
        return cast("Mask", parts[0] + parts[1] + parts[2] < 1)


@dataclass(frozen=True)
class BrainBand:
    """How the brain stands out in one series."""

    low: float  # of the median of the middle of the head
    high: float
    erode: float  # mm that cut the bridges to skull and eyes
    close: float  # mm that furrows are bridged over
    smooth: float = 0.0  # mm, standard deviation of a Gaussian before the thresholds
    within: tuple[Ellipsoid, ...] = ()  # the brain lies in their union; the first one's centre is deep inside it


def head_mask(volume: Volume, threshold: float = 0.10) -> Mask:
    """The head with its cavities: above `threshold` of the bright end, closed, filled in each slice."""
    smooth = ndimage.gaussian_filter(volume.array, (0, 0.7, 0.7))
    solid = _opened(smooth > threshold * np.percentile(smooth, 98), volume.spacing, 2.0)
    head = _filled(closed(_largest(solid), volume.spacing, 8.0, flat=True))
    for axis in (1, 2):  # cavities that are open in one plane are often closed in another
        head = np.swapaxes(_filled(np.swapaxes(head, 0, axis)), 0, axis)
    return head


def brain_mask(volume: Volume, head: Mask, band: BrainBand) -> Mask:
    """The brain with ventricles and furrows, from an intensity band inside the head."""
    image = ndimage.gaussian_filter(volume.array, [band.smooth / step for step in volume.spacing])
    middle = _middle(volume, head, band)
    level = float(np.median(image[middle & (image > 0.3 * np.percentile(image[middle], 90))]))
    inside = _eroded(head, volume.spacing, 4.0) & _allowed(band, head.shape)
    tissue = inside & (image > band.low * level) & (image < band.high * level)
    core = _nearest(_eroded(tissue, volume.spacing, band.erode), middle)
    grown = _dilated(core, volume.spacing, band.erode + 1.0) & tissue
    return _smoothed(_filled(closed(grown, volume.spacing, band.close) & inside), volume.spacing)


def _middle(volume: Volume, head: Mask, band: BrainBand) -> Mask:
    """A ball of 22 mm radius in the brain."""
    if band.within:
        centre = band.within[0].centre
    else:
        row, column = (float(np.median(np.nonzero(head)[axis])) for axis in (1, 2))
        centre = (head.shape[0] / 2, row, column)
    radii = (22 / volume.spacing[0], 22 / volume.spacing[1], 22 / volume.spacing[2])
    return Ellipsoid(centre, radii).mask(head.shape)


def _allowed(band: BrainBand, shape: tuple[int, ...]) -> Mask:
    if not band.within:
        return np.ones(shape, np.bool_)
    return cast("Mask", np.logical_or.reduce([region.mask(shape) for region in band.within]))


def _distance(mask: Mask, spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    return cast("NDArray[np.float64]", ndimage.distance_transform_edt(mask, sampling=spacing))


def _eroded(mask: Mask, spacing: tuple[float, float, float], mm: float) -> Mask:
    return _distance(mask, spacing) > mm


def _dilated(mask: Mask, spacing: tuple[float, float, float], mm: float) -> Mask:
    return _distance(~mask, spacing) <= mm if mask.any() else mask


def _opened(mask: Mask, spacing: tuple[float, float, float], mm: float) -> Mask:
    return _dilated(_eroded(mask, spacing, mm), spacing, mm)


def closed(mask: Mask, spacing: tuple[float, float, float], mm: float, *, flat: bool = False) -> Mask:
    """Close a mask (slices, rows, columns) over gaps of twice `mm`; `flat` within each slice only."""
    used = (1e4, spacing[1], spacing[2]) if flat else spacing
    width = [(0, 0)] + [(int(mm / step) + 2,) * 2 for step in spacing[1:]]
    padded = np.pad(mask, width)
    closed = _eroded(_dilated(padded, used, mm), used, mm)
    return closed[:, width[1][0] : -width[1][1], width[2][0] : -width[2][1]] | mask


def _filled(mask: Mask) -> Mask:
    return np.stack([ndimage.binary_fill_holes(plane) for plane in mask])


def _largest(mask: Mask) -> Mask:
    parts, count = ndimage.label(mask)
    if not count:
        return mask
    return cast("Mask", parts == 1 + int(np.argmax(ndimage.sum_labels(mask, parts, range(1, count + 1)))))


def _nearest(mask: Mask, seed: Mask) -> Mask:
    """The connected part that holds most of the seed."""
    parts, count = ndimage.label(mask)
    if not count:
        return mask
    return cast("Mask", parts == 1 + int(np.argmax(np.bincount(parts[seed & mask], minlength=count + 1)[1:])))


def _smoothed(mask: Mask, spacing: tuple[float, float, float]) -> Mask:
    sigma = (0.0, 1.5 / spacing[1], 1.5 / spacing[2])
    return cast("Mask", ndimage.gaussian_filter(mask.astype(np.float32), sigma) > 0.5)
