"""A series is split by what tells its images apart, and only where that is needed."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from node.core.dicom import facts
from node.core.volume import selector_fault, volume_for, volumes
from tests.synthetic import CORONAL, Grid, enhanced, mr_series, uid


def keys(datasets: list[Dataset]) -> list[str]:
    return [volume.key for volume in volumes([facts(ds) for ds in datasets])]


def test_echoes_b_values_and_components_are_named_by_their_attribute() -> None:
    assert keys(mr_series(echo_times=(6.3, 31.6))) == ["EchoTime=6.3", "EchoTime=31.6"]
    assert keys(mr_series(b_values=(1000, 0))) == ["DiffusionBValue=0", "DiffusionBValue=1000"]
    assert keys(mr_series(components=("P", "M"))) == ["ComplexImageComponent=M", "ComplexImageComponent=P"]
    assert keys(mr_series(phases=2)) == ["TemporalPositionIdentifier=1", "TemporalPositionIdentifier=2"]


def test_frames_of_an_enhanced_image_are_split_as_classic_images_are() -> None:
    image = enhanced(echo_times=(5, 9), order="shuffled", shared_geometry=True)
    found = volumes([facts(image)])
    assert [(volume.key, len(volume.slices)) for volume in found] == [("EchoTime=5", 12), ("EchoTime=9", 12)]


def test_echo_times_that_jitter_are_one_echo() -> None:
    datasets = mr_series()
    for number, ds in enumerate(datasets):
        ds.EchoTime = 10.0 + 0.005 * (number % 3)
    assert keys(datasets) == [""]


def test_counters_that_differ_from_slice_to_slice_split_nothing() -> None:
    datasets = mr_series()
    for number, ds in enumerate(datasets):
        ds.AcquisitionNumber, ds.TriggerTime, ds.TemporalPositionIdentifier = number, 10.0 * number, number
    assert keys(datasets) == [""]


def test_phases_whose_trigger_times_differ_in_every_slice_are_put_in_their_order() -> None:
    datasets = mr_series(phases=3, absent=["TemporalPositionIdentifier"])
    for number, ds in enumerate(datasets):
        ds.TriggerTime = 100.0 * (number // 12) + number % 12
    assert keys(datasets) == ["TriggerTime=phase 1", "TriggerTime=phase 2", "TriggerTime=phase 3"]
    chosen = volume_for([facts(ds) for ds in datasets], "TriggerTime=phase 2", at_least=1, at_most=99)
    assert {one.sop_instance_uid for one in chosen.slices} == {str(ds.SOPInstanceUID) for ds in datasets[12:24]}


def test_gradient_directions_of_one_b_value_are_told_apart() -> None:
    datasets = mr_series(b_values=(0, 1000), phases=2, absent=["TemporalPositionIdentifier"])
    datasets = [ds for number, ds in enumerate(datasets) if number // 12 != 1]  # one b=0, two directions
    for number, ds in enumerate(datasets[12:]):
        ds.DiffusionGradientOrientation = [1.0, 0.0, 0.0] if number < 12 else [0.0, 1.0, 0.0]
    assert keys(datasets) == [
        "DiffusionBValue=0,DiffusionGradientOrientation=absent",
        "DiffusionBValue=1000,DiffusionGradientOrientation=0.000 1.000 0.000",
        "DiffusionBValue=1000,DiffusionGradientOrientation=1.000 0.000 0.000",
    ]


def test_orientations_can_be_asked_for_by_their_plane() -> None:
    datasets = mr_series() + _renamed(mr_series(Grid(slices=7, orientation=CORONAL)))
    assert keys(datasets) == ["Orientation=axial", "Orientation=coronal"]
    chosen = volume_for([facts(ds) for ds in datasets], "orientation=Coronal", at_least=1, at_most=99)
    assert len(chosen.slices) == 7


def test_another_matrix_is_another_volume() -> None:
    datasets = mr_series() + _renamed(mr_series(Grid(slices=5, rows=16)))
    assert keys(datasets) == ["Matrix=16x24", "Matrix=32x24"]


def test_the_same_instance_twice_counts_once() -> None:
    assert keys(mr_series() + mr_series()) == [""]


def test_conditions_are_joined_and_first_takes_the_least() -> None:
    known = [facts(ds) for ds in mr_series(echo_times=(5, 9), b_values=(0, 800))]
    assert volume_for(known, "te=9, b=800", at_least=1, at_most=99).key == "EchoTime=9,DiffusionBValue=800"
    assert volume_for(known, "b=800,first", at_least=1, at_most=99).key == "EchoTime=5,DiffusionBValue=800"


def test_a_number_matches_at_the_digits_that_are_written() -> None:
    known = [facts(ds) for ds in mr_series(echo_times=(6.312, 6.9))]
    assert volume_for(known, "te=6.3", at_least=1, at_most=99).key == "EchoTime=6.312"
    assert volume_for(known, "te=7", at_least=1, at_most=99).key == "EchoTime=6.9"


def test_a_selector_that_asks_for_what_a_single_volume_is_finds_it() -> None:
    known = [facts(ds) for ds in mr_series()]
    assert volume_for(known, "te=10,orientation=axial,ImageType=primary", at_least=1, at_most=99).key == ""


@pytest.mark.parametrize(
    "datasets",
    [
        mr_series(),
        mr_series(echo_times=(6.3125, 31.56, 0.00001), b_values=(0, 1_250_000)),
        mr_series(components=("M", "P"), phases=2),
        mr_series(echo_times=(5, 9), change={"StackID": "a,b=c"}),
        [enhanced(echo_times=(5, 9))],
    ],
)
def test_the_key_of_a_volume_finds_it_again(datasets: list[Dataset]) -> None:
    known = [facts(ds) for ds in datasets]
    for volume in volumes(known):
        assert volume_for(known, volume.key or None, at_least=1, at_most=99) == volume


def test_an_absent_value_can_be_asked_for() -> None:
    datasets = mr_series(echo_times=(5, 9))
    for ds in datasets[:12]:
        del ds.EchoTime
    assert keys(datasets) == ["EchoTime=absent", "EchoTime=9"]
    known = [facts(ds) for ds in datasets]
    assert len(volume_for(known, "EchoTime=absent", at_least=1, at_most=99).slices) == 12


@pytest.mark.parametrize("wanted", ["", "first", "b=0", "EchoTime=6.3,first", "Orientation=axial", "ti=200"])
def test_a_selector_can_be_checked_before_a_series_comes(wanted: str) -> None:
    assert selector_fault(wanted) is None


def test_a_wrong_selector_is_told_the_names() -> None:
    assert "is not one of Orientation, Matrix" in (selector_fault("echo=1") or "")
    assert "neither first nor" in (selector_fault("b=") or "")


def _renamed(datasets: list[Dataset]) -> list[Dataset]:
    for ds in datasets:
        ds.SOPInstanceUID = uid("renamed", ds.SOPInstanceUID)
    return datasets
