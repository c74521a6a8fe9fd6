"""The segments of a label tensor as bits, of which everything else is made: looked at once, an eighth of the size.

Eight voxels of a line share a byte, the first in its lowest bit, as in the pixels of a BINARY Segmentation
(PS3.5 8.1.1); each line begins with a new byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from node.core.card import Card
from node.core.results.labels import Labels, Mask, mask_of

_Counts = NDArray[np.int64]
Columns = NDArray[np.int32]

_LOWEST = np.array([0] + [(value & -value).bit_length() - 1 for value in range(1, 256)], np.int32)
_HIGHEST = np.array([0] + [value.bit_length() - 1 for value in range(1, 256)], np.int32)


@dataclass(frozen=True)
class Bits:
    """The voxels of one segment."""

    lines: NDArray[np.uint8]  # (slices, rows, bytes)
    columns: int

    @cached_property
    def voxels(self) -> _Counts:
        """How many there are on each slice."""
        return np.array([np.bitwise_count(plane).sum(dtype=np.int64) for plane in self.lines], np.int64)

    def plane(self, index: int) -> Mask:
        """One slice (rows, columns)."""
        return np.unpackbits(self.lines[index], axis=-1, count=self.columns, bitorder="little").view(np.bool_)

    def ends(self) -> tuple[Mask, Columns, Columns]:
        """Which lines (slices, rows) have a voxel, and the columns of the first and the last; else 0."""
        filled = self.lines != 0
        first, last = filled.argmax(axis=-1), filled.shape[-1] - 1 - filled[..., ::-1].argmax(axis=-1)
        lowest = 8 * first.astype(np.int32) + _LOWEST[self._bytes(first)]
        highest = 8 * last.astype(np.int32) + _HIGHEST[self._bytes(last)]
        there: Mask = np.asarray(filled.any(axis=-1))
        return there, lowest * there, highest * there

    def _bytes(self, index: NDArray[np.intp]) -> NDArray[np.uint8]:
        return np.take_along_axis(self.lines, index[..., np.newaxis], axis=-1)[..., 0]


def bits_of(mask: Mask) -> Bits:
    """The bits of a mask (slices, rows, columns)."""
    return Bits(np.packbits(mask, axis=-1, bitorder="little"), mask.shape[-1])


def segments_of(labels: Labels, card: Card) -> tuple[Bits, ...]:
    """The bits of every segment of the card."""
    slices, rows, columns = labels.shape
    packed = np.zeros((len(card.segments), slices, rows, -(-columns // 8)), np.uint8)
    # Slice by slice: memory for the mask of a whole volume costs more time than the work on it
    for index, plane in enumerate(labels):
        for lines, segment in zip(packed, card.segments, strict=True):
            mask = mask_of(plane, segment.number, card.encoding)
            lines[index] = np.packbits(mask, axis=-1, bitorder="little")
    return tuple(Bits(lines, columns) for lines in packed)
