"""LABELMAP and FRACTIONAL say the same as BINARY; highdicom, given the whole arrays, writes the same pixels."""

from __future__ import annotations

from io import BytesIO

import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.card import Encoding
from node.core.results import Form, Origin, encode, to_bytes
from node.core.volume import Volume
from node.errors import ModelFailed
from tests.results import card, letter_l, origin, volume_of
from tests.synthetic import Grid, enhanced, mr_series

GRID = Grid(slices=6, rows=13, columns=11)  # an odd number of pixels: frames of bits begin within bytes
LABELS = card(2, Encoding.LABELMAP)


def as_labelmap(volume: Volume, sources: list[Dataset], labels: NDArray[np.uint8], made: Origin) -> Dataset | None:
    result = encode(volume, sources, labels, labels.astype(np.float32), made, forms=[Form.LABELMAP])
    return result.objects.get(Form.LABELMAP)


def as_fractional(volume: Volume, sources: list[Dataset], sent: NDArray[np.float32], made: Origin) -> Dataset:
    labels = np.zeros((6, 13, 11), np.uint8)
    values = labels.astype(np.float32)
    forms = [Form.FRACTIONAL]
    return encode(volume, sources, labels, values, made, forms=forms, probabilities=sent).objects[Form.FRACTIONAL]


def two_segments(sources: list[Dataset]) -> NDArray[np.uint8]:
    labels = letter_l(volume_of(sources)).astype(np.uint8) * 2
    labels[3, 9:, 8:] = 1
    return labels


def read(ds: Dataset) -> Dataset:
    return dcmread(BytesIO(to_bytes(ds)))


def planes_of(seg: Dataset, sources: list[Dataset]) -> list[tuple[int, int]]:
    """Of every frame the segment, 1 where none is named, and the slice, by its source reference alone."""
    volume = volume_of(sources)
    known = {(plane.sop_instance_uid, plane.frame): index for index, plane in enumerate(volume.slices)}
    found = []
    for frame in seg.PerFrameFunctionalGroupsSequence:
        image = frame.DerivationImageSequence[0].SourceImageSequence[0]
        index = known[image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")]
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert [float(value) for value in position] == pytest.approx(volume.slices[index].position, abs=1e-4)
        named = frame.get("SegmentIdentificationSequence")
        found.append((int(named[0].ReferencedSegmentNumber) if named else 1, index))
    return found


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_a_label_map_holds_every_label_where_it_was(kind: str) -> None:
    sources = [enhanced(GRID)] if kind == "enhanced" else mr_series(GRID, order="shuffled")
    labels = two_segments(sources)
    made = as_labelmap(volume_of(sources), sources, labels, origin(LABELS, sources))
    assert made is not None
    seg = read(made)
    assert seg.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    back = np.zeros_like(labels)
    pixels = np.frombuffer(seg.PixelData, np.uint8)[: seg.NumberOfFrames * 13 * 11].reshape(-1, 13, 11)
    for (_, index), frame in zip(planes_of(seg, sources), pixels, strict=True):
        back[index] = frame
    assert (back == labels).all()


def test_the_background_of_a_label_map_comes_last() -> None:
    sources = mr_series(GRID)
    made = as_labelmap(volume_of(sources), sources, two_segments(sources), origin(LABELS, sources))
    assert made is not None
    assert [item.SegmentNumber for item in made.SegmentSequence] == [1, 2, 0]


def test_overlapping_segments_have_no_label_map() -> None:
    sources = mr_series(GRID)
    labels = letter_l(volume_of(sources)).astype(np.uint8) * 3
    assert as_labelmap(volume_of(sources), sources, labels, origin(card(2), sources)) is None


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_probabilities_come_back_in_255_steps(kind: str) -> None:
    sources = [enhanced(GRID)] if kind == "enhanced" else mr_series(GRID, order="shuffled")
    sent = np.random.default_rng(3).random((2, 6, 13, 11), np.float32)
    sent[0, 2] = sent[1, 4:] = 0
    seg = read(as_fractional(volume_of(sources), sources, sent, origin(LABELS, sources)))
    assert (seg.SegmentationType, seg.SegmentationFractionalType, seg.MaximumFractionalValue) == (
        "FRACTIONAL",
        "PROBABILITY",
        255,
    )
    pixels = np.frombuffer(seg.PixelData, np.uint8)[: seg.NumberOfFrames * 13 * 11].reshape(-1, 13, 11)
    back = np.zeros_like(sent)
    for (segment, index), frame in zip(planes_of(seg, sources), pixels, strict=True):
        back[segment - 1, index] = frame / np.float32(255)
    assert np.abs(back - sent).max() <= 0.5 / 255 + 1e-6
    assert seg.NumberOfFrames == 9


def test_labels_without_probabilities_are_told_as_occupancy() -> None:
    sources = mr_series(GRID)
    labels = two_segments(sources)
    made, values = origin(LABELS, sources), labels.astype(np.float32)
    seg = read(
        encode(volume_of(sources), sources, labels, values, made, forms=[Form.FRACTIONAL]).objects[Form.FRACTIONAL]
    )
    assert seg.SegmentationFractionalType == "OCCUPANCY"
    pixels = np.frombuffer(seg.PixelData, np.uint8)[: seg.NumberOfFrames * 13 * 11].reshape(-1, 13, 11)
    for (segment, index), frame in zip(planes_of(seg, sources), pixels, strict=True):
        assert (frame == (labels[index] == segment) * 255).all()


@pytest.mark.parametrize("wrong", ["shape", "type", "more than 1", "no number"])
def test_what_is_no_probability_is_the_models_failure(wrong: str) -> None:
    sources = mr_series(GRID)
    sent = np.zeros((1 if wrong == "shape" else 2, 6, 13, 11), np.float64 if wrong == "type" else np.float32)
    sent[0, 0, 0, 0] = {"more than 1": 1.01, "no number": np.nan}.get(wrong, 0)
    with pytest.raises(ModelFailed, match="mri_core_head"):
        as_fractional(volume_of(sources), sources, sent, origin(LABELS, sources))


def test_nothing_found_gives_an_empty_frame_in_every_encoding() -> None:
    sources = mr_series(GRID)
    volume, made = volume_of(sources), origin(LABELS, sources)
    labelmap = as_labelmap(volume, sources, np.zeros((6, 13, 11), np.uint8), made)
    fractional = as_fractional(volume, sources, np.zeros((2, 6, 13, 11), np.float32), made)
    assert labelmap is not None
    assert (labelmap.NumberOfFrames, fractional.NumberOfFrames) == (1, 2)
    assert not any(labelmap.PixelData + fractional.PixelData)


def test_the_encodings_are_objects_of_their_own_that_name_the_same_findings() -> None:
    sources = mr_series(GRID)
    volume, made, labels = volume_of(sources), origin(LABELS, sources), two_segments(sources)
    binary = encode(volume, sources, labels, labels.astype(np.float32), made).seg
    labelmap = as_labelmap(volume, sources, labels, made)
    fractional = as_fractional(volume, sources, np.ones((2, 6, 13, 11), np.float32), made)
    assert labelmap is not None
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber"):
        assert len({getattr(seg, keyword) for seg in (binary, labelmap, fractional)}) == 3
    tracked = [
        [item.TrackingUID for item in seg.SegmentSequence if item.SegmentNumber]
        for seg in (binary, labelmap, fractional)
    ]
    assert tracked[0] == tracked[1] == tracked[2]


def test_the_same_inputs_give_the_same_bytes() -> None:
    sources = mr_series(GRID)
    volume, made, labels = volume_of(sources), origin(LABELS, sources), two_segments(sources)
    once, again = (as_labelmap(volume, sources, labels, made) for _ in range(2))
    assert once is not None
    assert again is not None
    assert to_bytes(once) == to_bytes(again)
    sent = np.full((2, 6, 13, 11), 0.3, np.float32)
    fractional = [to_bytes(as_fractional(volume, sources, sent, made)) for _ in range(2)]
    assert fractional[0] == fractional[1]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("segments", ["apart", "overlapping", "nothing"])
def test_highdicom_given_the_whole_array_writes_the_same_segmentation(segments: str) -> None:
    """Frame for frame: pixels, geometry, dimensions. What names the model and the sources is ours."""
    sources = mr_series(GRID)
    for source in sources:
        source.SliceThickness = 4
    labels = np.where(two_segments(sources) == 2, 1, 2 * two_segments(sources)).astype(np.uint8)
    if segments == "overlapping":
        labels[2, 2:9, 1:7] |= 2
    if segments == "nothing":
        labels[:], sources = 0, sources[3:4]
        labels = labels[:1]
    ours = encode(volume_of(sources), sources, labels, labels.astype(np.float32), origin(card(2), sources)).seg
    stacked = np.stack([labels & 1, labels >> 1], axis=-1)
    theirs = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=stacked,
        segmentation_type="BINARY",
        segment_descriptions=[hd.seg.SegmentDescription.from_dataset(item) for item in ours.SegmentSequence],
        series_instance_uid=ours.SeriesInstanceUID,
        series_number=1,
        sop_instance_uid=ours.SOPInstanceUID,
        instance_number=1,
        manufacturer="x",
        manufacturer_model_name="x",
        software_versions="x",
        device_serial_number="x",
        omit_empty_frames=segments != "nothing",
    )
    length = (theirs.NumberOfFrames * 13 * 11 + 7) // 8  # what comes after is padding
    assert ours.PixelData[:length] == theirs.PixelData[:length]
    for keyword in (
        "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
        "SamplesPerPixel", "PhotometricInterpretation", "SegmentationType", "SegmentsOverlap", "FrameOfReferenceUID",
        "SegmentSequence",
    ):  # fmt: skip
        assert ours[keyword].value == theirs[keyword].value, keyword
    for mine, other in zip(ours.PerFrameFunctionalGroupsSequence, theirs.PerFrameFunctionalGroupsSequence, strict=True):
        assert mine.FrameContentSequence[0].DimensionIndexValues == other.FrameContentSequence[0].DimensionIndexValues
        assert mine.PlanePositionSequence[0].ImagePositionPatient == other.PlanePositionSequence[0].ImagePositionPatient
        assert mine.SegmentIdentificationSequence == other.SegmentIdentificationSequence
        assert (
            mine.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
            == other.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        )
