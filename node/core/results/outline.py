"""The outline of a segment on one slice, as a viewer draws it: a closed polyline along the borders of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.core.results.bits import Bits, bits_of
from node.core.results.labels import Mask

Corner = tuple[int, int]  # column, row; (0, 0) is the outer corner of the first pixel (PS3.3 C.18.6.1.2)
_Side = tuple[int, int, int]  # of a pixel inside: direction, and the column and row of the corner that it begins at

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # right, down, left, up: clockwise, with the inside on the right hand
_MOST_CORNERS = 8000  # of two FL each; a value has 65534 bytes at most (PS3.5 7.1.2)


@dataclass(frozen=True)
class Outline:
    """The outline of the largest part of a segment on the slice where the segment is largest."""

    plane: int  # index of the slice
    corners: NDArray[np.float32]  # (corners, 2): column, row; the last is the first again


def largest_outline(mask: Mask) -> Outline | None:
    """The outline of a segment (slices, rows, columns); None where it has no voxel."""
    return outline_of(bits_of(mask))


def outline_of(bits: Bits) -> Outline | None:
    """The same of a segment that is given as bits."""
    plane = int(bits.voxels.argmax())
    if not bits.voxels[plane]:
        return None
    return Outline(plane, _closed(max(borders(bits.plane(plane)), key=_area)))


def closed_borders(mask: NDArray[np.bool_]) -> list[NDArray[np.float32]]:
    """Every border of a slice (rows, columns) as corners (column, row) of which the last is the first again."""
    return [_closed(border) for border in borders(mask)]


def _closed(corners: list[Corner]) -> NDArray[np.float32]:
    kept = corners[:: -(-len(corners) // _MOST_CORNERS)]
    return np.array([*kept, kept[0]], np.float32)


def borders(mask: NDArray[np.bool_]) -> list[list[Corner]]:
    """The corners of every border: clockwise around what is inside, the other way around holes.

    Pixels that touch at a corner only have borders of their own.
    """
    sides, found = _sides(mask), []
    seen: set[_Side] = set()
    for begin in sorted(sides):
        border: list[Corner] = []
        side = begin
        while side not in seen:
            seen.add(side)
            after = _next(side, sides)
            if after[0] != side[0]:
                border.append(after[1:])
            side = after
        if border:
            found.append(border)
    return found


def _sides(mask: NDArray[np.bool_]) -> set[_Side]:
    """The sides of pixels inside that have a pixel outside on the other side."""
    padded = np.pad(mask, 1)
    here, above, left = padded[1:, 1:], padded[:-1, 1:], padded[1:, :-1]
    before = padded[:-1, :-1]  # above and to the left
    begin = (here & ~above, left & ~here, before & ~left, above & ~before)
    return {
        (direction, int(column), int(row))
        for direction, there in enumerate(begin)
        for row, column in np.argwhere(there)
    }


def _next(side: _Side, sides: set[_Side]) -> _Side:
    """The side that goes on from the end of this one; where there are two, that of the same pixel."""
    direction, column, row = side
    end = column + _STEPS[direction][0], row + _STEPS[direction][1]
    return next(after for turn in (1, 0, -1) if (after := ((direction + turn) % 4, *end)) in sides)


def _area(corners: list[Corner]) -> float:
    """Pixels that a border encloses; negative for that of a hole."""
    column, row = np.array(corners, np.float64).T
    return float((column * np.roll(row, -1) - np.roll(column, -1) * row).sum() / 2)
