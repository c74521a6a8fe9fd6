"""A volume says where its voxels lie in the patient."""

from __future__ import annotations

import numpy as np
import pytest

from node.core.dicom import facts
from node.core.volume import Volume, affine, obliquity, orientation, volumes, voxel_volume_ml
from node.errors import NotProcessable
from tests.synthetic import AXIAL, CORONAL, SAGITTAL, Grid, mr_series, oblique


def volume_of(grid: Grid, order: str = "shuffled") -> Volume:
    (volume,) = volumes([facts(ds) for ds in mr_series(grid, order=order)])
    return volume


@pytest.mark.parametrize(
    ("directions", "plane", "degrees"),
    [
        (AXIAL, "axial", 0.0),
        (SAGITTAL, "sagittal", 0.0),
        (CORONAL, "coronal", 0.0),
        (oblique(20), "axial", 20.0),
        (oblique(44.9), "axial", 44.9),
        (oblique(60), "coronal", 30.0),
        (oblique(30, "y"), "axial", 30.0),
        ((0.7071068, -0.7071068, 0.0, 0.4082483, 0.4082483, -0.8164966), "oblique", 54.7),
    ],
)
def test_the_plane_is_the_nearest_one_within_45_degrees(
    directions: tuple[float, ...], plane: str, degrees: float
) -> None:
    volume = volume_of(Grid(orientation=directions))
    assert orientation(volume) == plane
    assert obliquity(volume) == pytest.approx(degrees, abs=0.05)


def test_slices_ascend_along_the_normal_and_the_affine_finds_them() -> None:
    grid = Grid(orientation=oblique(20))
    volume = volume_of(grid)
    matrix = affine(volume)
    for index, one in enumerate(volume.slices):
        assert matrix @ [0, 0, index, 1] == pytest.approx([*one.position, 1], abs=1e-4)
        assert one.position == pytest.approx(grid.position(index), abs=1e-4)


def test_columns_run_along_the_rows_at_the_column_spacing() -> None:
    volume = volume_of(Grid(pixel_spacing=(0.8, 0.7)))
    step = affine(volume) @ [1, 0, 0, 0]
    assert step[:3] == pytest.approx(np.array([0.7, 0.0, 0.0]))
    assert (affine(volume) @ [0, 1, 0, 0])[:3] == pytest.approx(np.array([0.0, 0.8, 0.0]))


def test_a_voxel_is_measured_by_the_distance_of_slices_not_their_thickness() -> None:
    assert voxel_volume_ml(volume_of(Grid(slice_spacing=4.0))) == pytest.approx(0.8 * 0.7 * 4.0 / 1000)


def test_a_single_slice_has_a_place_but_no_volume() -> None:
    volume = volume_of(Grid(slices=1))
    assert volume.slice_spacing == 0
    assert np.linalg.det(affine(volume)) > 0
    with pytest.raises(NotProcessable, match="single slice"):
        voxel_volume_ml(volume)
