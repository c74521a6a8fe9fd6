"""One series on the grid of another: by where both lie in the patient, and never by a guess."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from node.core.volume import (
    Slice,
    Volume,
    affine,
    coverage,
    demand_alignment,
    demand_same_planes,
    resampled,
)
from node.core.volume.geometry import cross
from node.errors import NotProcessable

Array = np.ndarray[Any, np.dtype[np.float32]]


def volume(
    *,
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0),
    origin: tuple[float, float, float] = (-10.0, 5.0, 20.0),
    shape: tuple[int, int, int] = (5, 7, 6),
    spacing: tuple[float, float, float] = (3.0, 1.5, 0.8),
    frame: str = "1.2.3",
) -> Volume:
    """`shape` is slices, rows, columns; `spacing` mm between each of them; turned about x, y and z by degrees."""
    basis = np.eye(3)
    for axis, degrees in enumerate(turn):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        about = np.eye(3)
        one, two = (axis + 1) % 3, (axis + 2) % 3
        about[one, one] = about[two, two] = c
        about[one, two], about[two, one] = -s, s
        basis = about @ basis
    row, column = tuple(map(float, basis[:, 0])), tuple(map(float, basis[:, 1]))
    normal = cross(row, column)  # type: ignore[arg-type]
    at = [tuple(float(o + k * spacing[0] * n) for o, n in zip(origin, normal, strict=True)) for k in range(shape[0])]
    return Volume(
        key="",
        slices=tuple(Slice(f"1.{k}", "1.2", None, place) for k, place in enumerate(at)),  # type: ignore[arg-type]
        row_direction=row,  # type: ignore[arg-type]
        column_direction=column,  # type: ignore[arg-type]
        pixel_spacing=(spacing[1], spacing[2]),
        slice_spacing=spacing[0],
        rows=shape[1],
        columns=shape[2],
        frame_of_reference_uid=frame,
    )


def noise(of: Volume, seed: int = 1) -> Array:
    return np.random.default_rng(seed).uniform(-900, 900, (len(of.slices), of.rows, of.columns)).astype(np.float32)


ANGLES = st.tuples(*[st.floats(-180, 180)] * 3)
SHAPES = st.tuples(*[st.integers(2, 9)] * 3)
PLACES = st.tuples(*[st.floats(-200, 200)] * 3)


@given(turn=ANGLES, origin=PLACES, shape=SHAPES)
@settings(deadline=None)
def test_the_same_grid_gives_back_the_very_values(
    turn: tuple[float, float, float], origin: tuple[float, float, float], shape: tuple[int, int, int]
) -> None:
    there = volume(turn=turn, origin=origin, shape=shape)
    values = noise(there)
    assert np.array_equal(resampled(values, there, there, -1.0), values)
    assert coverage(there, there) == 1.0


@given(turn=ANGLES, by=st.tuples(*[st.integers(-4, 4)] * 3))
@settings(deadline=None)
def test_a_shift_by_whole_voxels_moves_values_and_leaves_the_rest_outside(
    turn: tuple[float, float, float], by: tuple[int, int, int]
) -> None:
    source = volume(turn=turn)
    columns, rows, slices = by
    matrix = affine(source)
    step = matrix[:3, :3] @ np.array([columns, rows, slices], float)
    moved = replace(
        source,
        slices=tuple(replace(one, position=tuple(np.add(one.position, step))) for one in source.slices),
    )
    values = noise(source)
    found = resampled(values, source, moved, -5000.0)
    for k, r, c in np.ndindex(*values.shape):
        at = k + slices, r + rows, c + columns
        inside = all(0 <= place < size for place, size in zip(at, values.shape, strict=True))
        assert found[k, r, c] == (values[at] if inside else np.float32(-5000.0))


def test_half_a_voxel_is_the_mean_of_two() -> None:
    source = volume(spacing=(3.0, 1.0, 1.0))
    moved = replace(
        source,
        slices=tuple(replace(one, position=tuple(np.add(one.position, (0.5, 0, 0)))) for one in source.slices),
    )
    values = noise(source)
    found = resampled(values, source, moved, 0.0)
    np.testing.assert_allclose(found[:, :, :-1], (values[:, :, :-1] + values[:, :, 1:]) / 2, rtol=1e-5)
    assert np.array_equal(found[:, :, -1], values[:, :, -1])  # half a voxel beyond the last centre is still in it


def test_slices_in_the_other_order_are_the_same_volume() -> None:
    """A volume whose normal points the other way is the mirror of its indices, not of the patient."""
    source = volume()
    back = replace(
        source,
        slices=tuple(reversed(source.slices)),
        column_direction=tuple(-value for value in source.column_direction),  # type: ignore[arg-type]
    )
    bottom = np.multiply(source.column_direction, (source.rows - 1) * source.pixel_spacing[0])
    back = replace(
        back,
        slices=tuple(replace(one, position=tuple(np.add(one.position, bottom))) for one in back.slices),
    )
    values = noise(source)
    np.testing.assert_allclose(resampled(values, source, back, 0.0), values[::-1, ::-1], rtol=1e-5)


def test_a_quarter_turn_about_the_normal_turns_rows_into_columns() -> None:
    source = volume(spacing=(3.0, 1.0, 1.0), shape=(3, 6, 6), origin=(0.0, 0.0, 0.0))
    turned = volume(turn=(0.0, 0.0, 90.0), spacing=(3.0, 1.0, 1.0), shape=(3, 6, 6), origin=(5.0, 0.0, 0.0))
    values = noise(source)
    np.testing.assert_allclose(resampled(values, source, turned, 0.0), np.rot90(values, axes=(1, 2)), rtol=1e-4)


@given(turn=ANGLES, other=ANGLES, origin=st.tuples(*[st.floats(-8, 8)] * 3))
@settings(deadline=None, max_examples=50)
def test_it_agrees_with_scipy_wherever_there_is_something(
    turn: tuple[float, float, float], other: tuple[float, float, float], origin: tuple[float, float, float]
) -> None:
    source, target = volume(turn=turn, origin=(0, 0, 0)), volume(turn=other, origin=origin, spacing=(2.0, 1.1, 1.3))
    values, outside = noise(source), -7777.0
    found = resampled(values, source, target, outside)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in found.shape), indexing="ij")).reshape(3, -1)
    points = affine(target) @ np.stack([grid[2], grid[1], grid[0], np.ones(grid.shape[1])])
    c, r, k = (np.linalg.inv(affine(source)) @ points)[:3]
    expected = map_coordinates(values.astype(np.float64), [k, r, c], order=1, mode="nearest").reshape(found.shape)
    there = found != np.float32(outside)
    np.testing.assert_allclose(found[there], expected[there], atol=0.02)
    margin = 1e-4  # of an index: where the border lies within rounding either answer is right
    sizes = (source.columns, source.rows, len(source.slices))
    surely_in = np.all(
        [(at > -0.5 + margin) & (at < n - 0.5 - margin) for at, n in zip((c, r, k), sizes, strict=True)], 0
    )
    surely_out = np.any(
        [(at < -0.5 - margin) | (at > n - 0.5 + margin) for at, n in zip((c, r, k), sizes, strict=True)], 0
    )
    assert there[surely_in.reshape(found.shape)].all()
    assert not there[surely_out.reshape(found.shape)].any()


def test_another_frame_of_reference_is_refused_and_so_is_none() -> None:
    for frame in ("1.2.4", ""):
        with pytest.raises(NotProcessable, match="flair and t1 have different Frame of Reference"):
            demand_alignment("flair", volume(frame=frame), "t1", volume(), 0.5)
    with pytest.raises(NotProcessable):
        demand_alignment("flair", volume(frame=""), "t1", volume(frame=""), 0.5)


def test_too_small_an_overlap_is_refused_with_how_large_it_is() -> None:
    there = volume(shape=(10, 8, 8), origin=(0.0, 0.0, 0.0))
    half = volume(shape=(5, 8, 8), origin=(0.0, 0.0, 0.0))
    assert coverage(half, there) == pytest.approx(0.5)
    demand_alignment("flair", half, "t1", there, 0.5)
    with pytest.raises(NotProcessable, match="flair covers 50% of the field of view of t1: the model needs 60%"):
        demand_alignment("flair", half, "t1", there, 0.6)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (volume(shape=(4, 7, 6)), "flair has 4 slices, t1 5"),
        (volume(turn=(0.0, 0.0, 3.0)), "turned against each other"),
        (volume(origin=(-10.0, 5.0, 21.0)), "lie up to 1.0 mm"),
    ],
)
def test_an_input_on_its_own_grid_lies_in_the_planes_of_the_reference(source: Volume, said: str) -> None:
    with pytest.raises(NotProcessable, match=said):
        demand_same_planes("flair", source, "t1", volume())


def test_its_matrix_may_be_another() -> None:
    demand_same_planes("flair", volume(shape=(5, 70, 60), spacing=(3.0, 0.15, 0.08)), "t1", volume())
