"""Decoded voxels and their two renderings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Stored = np.ndarray[Any, np.dtype[np.int32]]
Values = np.ndarray[Any, np.dtype[np.float32]]
Rendering = np.ndarray[Any, np.dtype[np.uint16]]

_TOP = 65535


@dataclass(frozen=True, eq=False)
class Pixels:
    """Voxels of a volume in the order of its slices.

    MONOCHROME1 is not inverted: that is a matter of display (PS3.3 C.7.6.3.1.2).
    """

    stored: Stored  # (slices, rows, columns), reduced to BitsStored
    rescale: tuple[tuple[float, float], ...]  # slope and intercept of each slice (PS3.3 C.11.1)
    padding: int | None  # PixelPaddingValue as stored, when the slices state one and the same

    @property
    def values(self) -> Values:
        """Modality values, float32 (slices, rows, columns): stored * slope + intercept, slice by slice.

        Padding is converted like any other value.
        """
        slopes, intercepts = self._columns()
        return np.asarray(self.stored * slopes + intercepts, np.float32)

    def as_uint16(self) -> Rendering:
        """The 16-bit rendering that is sent to a model, uint16 (slices, rows, columns).

        A rising affine map of the modality values over the whole volume: when they are whole numbers (or share
        one rescale) within 65535 of the least one, they are kept exactly and only the least is subtracted;
        otherwise the range is scaled to 0..65535. A constant volume is all zero. Padding becomes 0 and does not
        take part in the range (PixelPaddingValue, PS3.3 C.7.5.1.1.2).
        """
        padding = self.stored == self.padding if self.padding is not None else None
        values = self._comparable()
        low, high = _extent(values, padding)
        if high <= low:
            return np.zeros(values.shape, np.uint16)
        scale = 1.0 if high - low <= _TOP and _whole(values) else _TOP / (high - low)
        rendered = _scaled(values, low, scale)
        if padding is not None:
            rendered[padding] = 0
        return rendered

    def _comparable(self) -> np.ndarray[Any, Any]:
        """Values in which slices compare rightly: the stored ones when every slice has the same rescale."""
        if len(set(self.rescale)) > 1:
            slopes, intercepts = self._columns()
            return np.asarray(self.stored * slopes + intercepts, np.float64)
        rising = self.rescale[0][0] > 0
        return self.stored if rising else -self.stored.astype(np.int64)

    def _columns(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        table = np.array(self.rescale, np.float64)
        return table[:, 0, None, None], table[:, 1, None, None]


def _extent(values: np.ndarray[Any, Any], padding: np.ndarray[Any, Any] | None) -> tuple[float, float]:
    used = values if padding is None else values[~padding]
    return (float(used.min()), float(used.max())) if used.size else (0.0, 0.0)


def _whole(values: np.ndarray[Any, Any]) -> bool:
    return bool(np.issubdtype(values.dtype, np.integer) or np.array_equal(values, np.rint(values)))


def _scaled(values: np.ndarray[Any, Any], low: float, scale: float) -> Rendering:
    if scale == 1.0 and np.issubdtype(values.dtype, np.integer):
        return (values - int(low)).astype(np.uint16)
    return np.rint((values - low) * scale).clip(0, _TOP).astype(np.uint16)
