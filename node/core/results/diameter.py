"""The maximum 3D diameter of a segment, exactly (IBSI L0JK).

IBSI measures between the two vertices of the segment's surface mesh that are furthest apart. The mesh of a mask at the
level of one half has its vertices midway between a voxel inside and a face neighbour outside. What is furthest apart
lies on the convex hull, and the hull of these vertices is the hull of the voxel centres, widened by half a voxel along
each axis. So no mesh is built: the diameter is the largest distance between centres where one difference of
coordinates, the one that helps most, is longer by one voxel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.core.results.bits import Bits, bits_of
from node.core.results.labels import Mask

Spacing = tuple[float, float, float]  # mm between slices, rows and columns

_Indices = NDArray[np.int32]
_Points = NDArray[np.float64]
_BLOCKS = 16  # along the longest side of the bounding box
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))  # slices, rows
_STEPS = tuple((slices * reach, rows * reach) for reach in (1, 2, 4, 8, 16, 32) for slices, rows in _DIRECTIONS)


def maximum_diameter(mask: Mask, spacing: Spacing) -> float | None:
    """The diameter in mm of the voxels (slices, rows, columns) that are True; None where there are none."""
    return diameter_of(bits_of(mask), spacing)


def diameter_of(bits: Bits, spacing: Spacing) -> float | None:
    """The same of a segment that is given as bits."""
    ends: _Points = _extreme(bits).astype(np.float64) * np.array(spacing)
    if not len(ends):
        return None
    known = _guess(ends, spacing)
    centres = _within_reach(ends, known, spacing)
    return float(np.sqrt(_longest(centres, known, spacing)))


def _extreme(bits: Bits) -> _Indices:
    """Indices (slice, row, column) among which are all corners of the convex hull: ends of lines of voxels."""
    filled, first, last = bits.ends()
    ends = ((filled & ~_bridged(filled, -first), first), (filled & ~_bridged(filled, last), last))
    return np.concatenate([np.column_stack((*np.nonzero(kept), column[kept])) for kept, column in ends])


def _bridged(filled: Mask, height: _Indices) -> Mask:
    """Where an end of a line lies midway between two others, or below that: it is no corner of the hull."""
    bridged = np.zeros_like(filled)
    for slices, rows in _STEPS:
        if slices * 2 >= filled.shape[0] or abs(rows) * 2 >= filled.shape[1]:
            continue
        here, before, after = _shifted(filled.shape, slices, rows)
        both = filled[before] & filled[after]
        bridged[here] |= both & (2 * height[here] <= height[before] + height[after])
    return bridged


def _shifted(shape: tuple[int, ...], slices: int, rows: int) -> list[tuple[slice, slice]]:
    """Where there are neighbours on both sides; the neighbours before; the neighbours after."""
    side = abs(rows)
    return [
        (
            slice(slices + sign * slices, shape[0] - slices + sign * slices),
            slice(side + sign * rows, shape[1] - side + sign * rows),
        )
        for sign in (0, -1, 1)
    ]


def _guess(points: _Points, spacing: Spacing) -> float:
    """A squared length that two of the points do have: from one to the furthest, and on from there."""
    end, longest = points[:1], 0.0
    for _ in range(4):
        longest = _squared(end, points, longest, spacing)
        end = points[np.square(points - end).sum(axis=1).argmax()][np.newaxis]
    return longest


def _within_reach(points: _Points, known: float, spacing: Spacing) -> _Points:
    """Those whose furthest corner of the bounding box is far enough away to be better than what is known."""
    furthest = np.maximum(points - points.min(axis=0), points.max(axis=0) - points)
    kept: _Points = points[_bound(furthest, spacing) >= known * (1 - 1e-12)]
    return kept


def _longest(points: _Points, known: float, spacing: Spacing) -> float:
    """The largest squared length of all pairs; blocks of points whose boxes are too near are not looked into."""
    points, begins = _blocks(points)
    ends = np.append(begins[1:], len(points))
    lowest, highest = np.minimum.reduceat(points, begins), np.maximum.reduceat(points, begins)
    block = np.repeat(np.arange(len(begins)), ends - begins)
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        furthest = np.maximum(highest[number:] - lowest[number], highest[number] - lowest[number:])
        far = _bound(furthest, spacing) >= known * (1 - 1e-12)
        if far.any():
            known = _squared(points[begin:end], points[begin:][far[block[begin:] - number]], known, spacing)
    return known


def _blocks(points: _Points) -> tuple[_Points, NDArray[np.intp]]:
    """The points in the order of cubes that they lie in, and where each cube begins."""
    first = points.min(axis=0)
    side = max(float((points.max(axis=0) - first).max()) / _BLOCKS, 1e-9)
    cubes = ((points - first) / side).astype(np.int64) @ np.array([1, 1 << 10, 1 << 20])
    order = np.argsort(cubes, kind="stable")
    return points[order], np.flatnonzero(np.diff(cubes[order], prepend=-1))


def _bound(furthest: _Points, spacing: Spacing) -> NDArray[np.float64]:
    """The largest squared length of points whose coordinates differ by no more than `furthest`."""
    slices, rows, columns = furthest.T
    step = [2 * one * size + size**2 for one, size in zip((slices, rows, columns), spacing, strict=True)]
    bound: NDArray[np.float64] = slices**2 + rows**2 + columns**2 + np.maximum(np.maximum(step[0], step[1]), step[2])
    return bound


def _squared(some: _Points, others: _Points, known: float, spacing: Spacing) -> float:
    """The largest squared length between some points and others, if it is more than what is known.

    Distances of centres come from one product of matrices; the few that the width of a voxel can make more than what
    is known are measured again, exactly.
    """
    squares = np.square(some).sum(axis=1)[:, np.newaxis] + np.square(others).sum(axis=1) - 2 * some @ others.T
    enough = max(np.sqrt(known) - max(spacing), 0.0) ** 2 * (1 - 1e-6) - 1e-6
    one, other = np.nonzero(squares >= enough)
    return max(known, float(_bound(np.abs(some[one] - others[other]), spacing).max(initial=0.0)))
