"""The phantom is one head: in every plane, on every day, with a left and a right."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

import numpy as np
import pydicom
import pytest

from node.core import phantom
from node.core.phantom import CORONAL, SAGITTAL, Grid, instances, voxels

WHEN = datetime(2026, 3, 4, 5, 6, 7)  # noqa: DTZ001 # DICOM dates are local
SMALL = Grid(slices=16, rows=64, columns=72, pixel_spacing=(3.6, 3.3), slice_spacing=9.5)


def litres(grid: Grid, mask: phantom.Mask) -> float:
    return float(mask.sum()) * grid.pixel_spacing[0] * grid.pixel_spacing[1] * grid.slice_spacing / 1e6


def test_the_same_seed_gives_the_same_voxels() -> None:
    assert np.array_equal(voxels(SMALL, seed=4).array, voxels(SMALL, seed=4).array)
    assert not np.array_equal(voxels(SMALL, seed=4).array, voxels(SMALL, seed=5).array)


def test_the_brain_has_the_volume_of_a_brain_and_lies_in_the_head() -> None:
    made = voxels(SMALL)
    assert 1.2 < litres(SMALL, made.brain) < 1.7
    assert litres(SMALL, made.head) > 2 * litres(SMALL, made.brain)
    assert not (made.brain & ~made.head).any()


@pytest.mark.parametrize("grid", [SAGITTAL, CORONAL])
def test_every_plane_shows_the_same_head(grid: Grid) -> None:
    coarse = Grid(grid.slices, 48, 48, (5.0, 5.0), grid.slice_spacing, grid.row, grid.column)
    assert litres(coarse, voxels(coarse).brain) == pytest.approx(litres(SMALL, voxels(SMALL).brain), rel=0.05)


def test_left_and_right_differ() -> None:
    array = voxels(SMALL).array.astype(float)
    assert np.abs(array - array[:, :, ::-1]).mean() > 10


def test_air_is_dark_and_the_brain_is_bright() -> None:
    made = voxels(SMALL)
    assert np.median(made.array[~made.head]) < 40
    assert np.median(made.array[made.brain]) > 400
    assert made.array.max() < 4096


def test_instances_carry_the_geometry_of_the_grid() -> None:
    made = instances(voxels(SMALL), when=WHEN)
    places = np.array([each.ImagePositionPatient for each in made], float)
    assert np.allclose(np.diff(places, axis=0), [0, 0, SMALL.slice_spacing])
    assert np.allclose(places[0], SMALL.position, atol=1e-6)
    assert (made[0].Rows, made[0].Columns) == (64, 72)
    assert made[0].PixelSpacing == [3.6, 3.3]
    assert len({each.FrameOfReferenceUID for each in made}) == 1
    assert len({each.SOPInstanceUID for each in made}) == SMALL.slices


def test_instances_can_be_written_and_read_back() -> None:
    made = voxels(SMALL)
    for number, dataset in enumerate(instances(made, when=WHEN, patient_name="Yamada^Tarou=山田^太郎")):
        written = BytesIO()
        dataset.save_as(written, enforce_file_format=True)
        written.seek(0)
        read = pydicom.dcmread(written)
        assert np.array_equal(read.pixel_array, made.array[number])
        assert read.PatientName.ideographic == "山田^太郎"


def test_uids_follow_from_the_seed_alone() -> None:
    made = voxels(Grid(slices=2, rows=8, columns=8))
    one, same, other = (instances(made, when=WHEN, seed=seed) for seed in ("a", "a", "b"))
    assert [each.SOPInstanceUID for each in one] == [each.SOPInstanceUID for each in same]
    assert {each.SOPInstanceUID for each in one}.isdisjoint(each.SOPInstanceUID for each in other)
    assert all(pydicom.uid.UID(each.SOPInstanceUID).is_valid for each in one)


def test_two_series_of_one_study_share_their_frame_of_reference() -> None:
    made = voxels(Grid(slices=2, rows=8, columns=8))
    first, second = (instances(made, when=WHEN, series_number=number) for number in (1, 2))
    assert first[0].StudyInstanceUID == second[0].StudyInstanceUID
    assert first[0].SeriesInstanceUID != second[0].SeriesInstanceUID
    assert first[0].FrameOfReferenceUID == second[0].FrameOfReferenceUID
