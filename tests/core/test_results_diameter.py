"""The maximum 3D diameter is that of the surface, half a voxel outside the outermost centres, to the last digit."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.results import encode, to_bytes
from node.core.results.diameter import Spacing, maximum_diameter
from tests.results import card, letter_l, origin, volume_of
from tests.synthetic import Grid, mr_series

Mask = NDArray[np.bool_]


def between_mesh_vertices(mask: Mask, spacing: Spacing) -> float:
    """IBSI's definition as it stands: every pair of points midway between a voxel and a neighbour outside."""
    padded, vertices = np.pad(mask, 1), []
    for axis in range(3):
        for side in (1, -1):
            at = np.argwhere(padded & ~np.roll(padded, side, axis)).astype(float)
            at[:, axis] -= side * 0.5
            vertices.append(at)
    points = np.concatenate(vertices) * spacing
    return max(float(np.sqrt(np.square(points - point).sum(axis=1).max())) for point in points)


def ellipsoid(shape: tuple[int, int, int], fill: float) -> Mask:
    grid = np.meshgrid(*(np.linspace(-1, 1, length) if length > 1 else np.zeros(1) for length in shape), indexing="ij")
    return np.array(sum(np.square(axis) for axis in grid) <= fill)


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_largest_distance_between_two_vertices_of_the_mesh(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 12, 3))
    spacing = (float(random.uniform(0.3, 6)), float(random.uniform(0.3, 2)), float(random.uniform(0.3, 2)))
    for mask in (random.random(shape) < 0.05, random.random(shape) < 0.6, ellipsoid((9, 14, 11), 0.9)):
        mask[0, 0, 0] = True
        assert maximum_diameter(mask, spacing) == pytest.approx(between_mesh_vertices(mask, spacing), abs=1e-9)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_turning_the_mask_does_not_change_it(seed: int) -> None:
    mask = np.random.default_rng(seed).random((5, 7, 6)) < 0.2
    straight = maximum_diameter(mask, (3.0, 1.0, 0.5))
    turned = maximum_diameter(mask.transpose(2, 0, 1)[::-1], (0.5, 3.0, 1.0))
    assert straight == pytest.approx(turned)


def test_a_single_voxel_is_as_long_as_its_longest_side() -> None:
    mask = np.zeros((3, 3, 3), np.bool_)
    mask[1, 1, 1] = True
    assert maximum_diameter(mask, (4.0, 0.5, 0.7)) == pytest.approx(4.0)


def test_nothing_has_no_diameter() -> None:
    assert maximum_diameter(np.zeros((3, 4, 5), np.bool_), (1.0, 1.0, 1.0)) is None


def test_a_large_ball_is_measured_like_a_small_one() -> None:
    mask = ellipsoid((61, 61, 61), 1.0)
    assert maximum_diameter(mask, (1.0, 1.0, 1.0)) == pytest.approx(between_mesh_vertices(mask, (1.0, 1.0, 1.0)))


def diameters(sr: Dataset) -> list[tuple[float, str]]:
    found = []
    for item in dcmread(BytesIO(to_bytes(sr))).iterall():
        if item.keyword == "ContentSequence":
            for content in item.value:
                if content.ValueType == "NUM" and content.ConceptNameCodeSequence[0].CodeValue == "L0JK":
                    (measured,) = content.MeasuredValueSequence
                    unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
                    found.append((float(measured.NumericValue), unit))
    return found


def test_the_sr_says_it_in_millimetres() -> None:
    sources = mr_series(Grid(slices=6, rows=24, columns=20, pixel_spacing=(0.5, 2.0), slice_spacing=4.0))
    volume = volume_of(sources)
    labels = letter_l(volume).astype(np.uint8)
    result = encode(volume, sources, labels, labels.astype(np.float32), origin(card(2), sources))
    expected = between_mesh_vertices(labels == 1, (4.0, 0.5, 2.0))
    assert result.measurements[0].diameter_mm == pytest.approx(expected)
    ((said, unit),) = diameters(result.sr)
    assert unit == "mm"
    assert said == pytest.approx(expected, rel=1e-5)


def test_a_lone_slice_of_unknown_thickness_has_none() -> None:
    sources = mr_series(Grid(slices=1, rows=8, columns=8))
    for source in sources:
        del source.SliceThickness
    labels = np.ones((1, 8, 8), np.uint8)
    result = encode(volume_of(sources), sources, labels, labels.astype(np.float32), origin(card(1), sources))
    assert result.measurements[0].diameter_mm is None
