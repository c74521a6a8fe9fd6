"""What is no volume is refused, in one sentence that people can check on their own screens."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from node.core.dicom import facts
from node.core.volume import volume_for, volumes
from node.errors import NotProcessable
from tests.synthetic import Grid, color, enhanced, localizer, mosaic, mr_series


def reason(datasets: list[Dataset], wanted: str | None = None, at_least: int = 1, at_most: int = 1000) -> str:
    with pytest.raises(NotProcessable) as refusal:
        volume_for([facts(ds) for ds in datasets], wanted, at_least=at_least, at_most=at_most)
    return str(refusal.value)


def changed(**attributes: Any) -> list[Dataset]:
    return mr_series(change=attributes)


CASES: list[tuple[list[Dataset], str]] = [
    ([], "the series has no image"),
    (localizer(), "3 orientations in one series (a localizer): no single volume"),
    (mosaic(), "36 tiles in one image (mosaic): needs de-mosaicking, which this node does not do"),
    (
        mosaic(images_in_mosaic=0),
        "several tiles in one image (mosaic): needs de-mosaicking, which this node does not do",
    ),
    (color(), "PhotometricInterpretation is RGB: not an image of MR signal intensities"),
    (
        changed(PhotometricInterpretation="PALETTE COLOR"),
        "PhotometricInterpretation is PALETTE COLOR: not an image of MR signal intensities",
    ),
    (mr_series(absent=["PixelData"]), "12 of 12 instances have no pixels"),
    (mr_series(absent=["SOPInstanceUID"])[:1], "SOPInstanceUID is absent"),
    (mr_series(absent=["FrameOfReferenceUID"]), "FrameOfReferenceUID is absent: a result could not be placed"),
    (mr_series(absent=["Rows"]), "Rows or Columns is absent or zero in 12 of 12 images"),
    (
        mr_series(absent=["ImagePositionPatient"]),
        "ImagePositionPatient is absent or not three numbers in 12 of 12 images",
    ),
    (
        mr_series(absent=["ImageOrientationPatient"]),
        "ImageOrientationPatient is absent or not six numbers in 12 of 12 images",
    ),
    (mr_series(absent=["PixelSpacing"]), "PixelSpacing is absent or not two numbers in 12 of 12 images"),
    (changed(PixelSpacing=[0.0, 1.0]), "PixelSpacing is 0 and 1 mm"),
    (
        changed(ImageOrientationPatient=[0, 0, 0, 0, 0, 0]),
        "ImageOrientationPatient has vectors of length 0.000 and 0.000 instead of 1",
    ),
    (
        changed(ImageOrientationPatient=[1, 0, 0, 0.5, 0.8660254, 0]),
        "ImageOrientationPatient has rows and columns at 60.0 instead of 90 degrees",
    ),
    (mr_series(Grid(missing=[4])), "slice missing between -18.0 and -10.0 mm (spacing 4.0 mm)"),
    (mr_series(Grid(missing=[4, 5, 9])), "3 slices missing, the first between -18.0 and -6.0 mm (spacing 4.0 mm)"),
    (mr_series(Grid(shift={11: (0, 0, 2.2)})), "spacing varies from 4.0 to 6.2 mm"),
    (mr_series(Grid(shear=0.3)), "slices are shifted sideways by up to 3.3 mm: not a grid at right angles"),
    (
        mr_series(echo_times=(6.3, 31.6)),
        "each of 12 positions occurs 2 times (EchoTime 6.3, 31.6): say which with volume:",
    ),
    (
        mr_series(Grid(slices=3), echo_times=(5, 9), b_values=(0, 800)),
        "each of 3 positions occurs 4 times (EchoTime=5,DiffusionBValue=0; EchoTime=5,DiffusionBValue=800; "
        "EchoTime=9,DiffusionBValue=0; EchoTime=9,DiffusionBValue=800): say which with volume:",
    ),
    (
        mr_series(phases=2, absent=["TemporalPositionIdentifier"]),
        "each of 12 positions occurs 2 times and no known attribute tells the images apart",
    ),
    (mr_series() + mr_series(name="other"), "images of 2 series: a volume comes from one"),
    (
        [enhanced(absent=["PerFrameFunctionalGroupsSequence"])],
        "a multi-frame image of 12 frames has no readable PerFrameFunctionalGroupsSequence: "
        "nothing says where its frames lie",
    ),
    ([enhanced(change={"NumberOfFrames": 13})], "a multi-frame image declares 13 frames and describes 12"),
    (
        [enhanced(change={"ConcatenationUID": "1.2.3", "InConcatenationTotalNumber": 3})],
        "1 of the 3 parts of a concatenation are here",
    ),
]


@pytest.mark.parametrize(("datasets", "sentence"), CASES, ids=[sentence for _, sentence in CASES])
def test_it_says_why(datasets: list[Dataset], sentence: str) -> None:
    assert reason(datasets) == sentence


def test_too_few_and_too_many_slices_are_told_with_the_limits() -> None:
    assert reason(mr_series(), at_least=16) == "12 slices: the model takes 16 to 1000"
    assert reason(mr_series(), at_most=8) == "12 slices: the model takes 1 to 8"
    assert reason(mr_series(Grid(slices=1)), at_least=2) == "1 slice: the model takes 2 to 1000"


def test_the_fault_of_one_volume_does_not_spoil_its_sibling() -> None:
    whole, holed = mr_series(echo_times=(5, 9)), []
    for ds in whole:
        if not (ds.EchoTime == 9 and ds.InstanceNumber == 5):
            holed.append(ds)
    known = [facts(ds) for ds in holed]
    assert len(volume_for(known, "te=5", at_least=1, at_most=99).slices) == 12
    assert [volume.key for volume in volumes(known)] == ["EchoTime=5"]
    assert reason(holed, "te=9") == "slice missing between -18.0 and -10.0 mm (spacing 4.0 mm) in EchoTime=9"


def test_first_does_not_choose_among_orientations() -> None:
    assert reason(localizer(), "first") == "3 orientations in one series (a localizer): no single volume"


def test_two_headers_under_one_uid_are_refused() -> None:
    first, second = mr_series(Grid(slices=1)), mr_series(Grid(slices=1))
    second[0].EchoTime = 77
    assert reason(first + second) == ("two images with the same SOPInstanceUID say different things: one must be wrong")


def test_several_frames_of_reference_are_refused() -> None:
    datasets = mr_series()
    datasets[3].FrameOfReferenceUID = "1.2.3"
    assert reason(datasets) == "2 frames of reference in one series"


def test_more_frames_than_can_be_held_are_refused() -> None:
    bomb = enhanced(change={"NumberOfFrames": 2**31 - 1}, absent=["PerFrameFunctionalGroupsSequence"])
    assert reason([bomb]).startswith("a multi-frame image of 2147483647 frames has no readable")


def test_a_hundred_orientations_end_the_search() -> None:
    turns = range(150)
    datasets = []
    for k in turns:
        (ds,) = mr_series(Grid(slices=1), name="turning")
        ds.SOPInstanceUID = f"1.2.{k + 1}"
        c, s = 1 - k * k / 40000, (1 - (1 - k * k / 40000) ** 2) ** 0.5
        ds.ImageOrientationPatient = [c, s, 0, -s, c, 0]
        datasets.append(ds)
    assert reason(datasets) == "more than 100 orientations in one series: no single volume"


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("EchoTime", "volume: 'EchoTime' is neither first nor Attribute=value"),
        ("b=0", "no volume with b=0: the series holds EchoTime 6.3, 31.6"),
        ("te=7", "no volume with te=7: the series holds EchoTime 6.3, 31.6"),
    ],
)
def test_a_selector_that_finds_nothing_is_told_what_there_is(wanted: str, sentence: str) -> None:
    assert reason(mr_series(echo_times=(6.3, 31.6)), wanted) == sentence
