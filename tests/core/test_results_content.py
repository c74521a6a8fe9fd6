"""What a SEG and an SR say: segments, references, measurements, and whose they are."""

from __future__ import annotations

import warnings
from copy import deepcopy
from functools import partial
from io import BytesIO

import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core import results
from node.core.card import Encoding
from node.core.results import Form, Predecessor, Results, to_bytes, verify, verify_files
from node.core.volume import Volume
from node.errors import ModelFailed, NotProcessable
from tests.results import SHARED, card, letter_l, origin, volume_of
from tests.synthetic import Grid, enhanced, mr_series

Labels = NDArray[np.uint8]
encode = partial(results.encode, forms=(Form.BINARY, Form.SEGMENT))
GRID = Grid(slices=6, rows=24, columns=20, pixel_spacing=(0.5, 2.0), slice_spacing=4.0)


@pytest.fixture(scope="module")
def sources() -> list[Dataset]:
    return mr_series(GRID, order="shuffled")


@pytest.fixture(scope="module")
def volume(sources: list[Dataset]) -> Volume:
    return volume_of(sources)


def read(ds: Dataset) -> Dataset:
    return dcmread(BytesIO(to_bytes(ds)))


def measurement_groups(result: Results) -> list[hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        document = hd.sr.srread(BytesIO(to_bytes(result.sr)))
    report = document.content
    assert isinstance(report, hd.sr.MeasurementReport)
    groups: list[hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations] = (
        report.get_volumetric_roi_measurement_groups()
    )
    return groups


def overlapping(volume: Volume) -> Labels:
    drawn = letter_l(volume)
    labels = drawn.astype(np.uint8)
    labels[2, 4:9, 3:7] |= 2  # inside and outside the L
    return labels


def test_overlapping_segments_keep_every_voxel(sources: list[Dataset], volume: Volume) -> None:
    labels, model = overlapping(volume), card(2)
    result = encode(volume, sources, labels, labels.astype(np.float32), origin(model, sources))
    assert result.seg.SegmentsOverlap == "YES"
    assert verify(to_bytes(result.seg), sources, volume, labels, model) == ()
    assert [m.voxels for m in result.measurements] == [np.count_nonzero(labels & 1), 20]


def test_the_library_has_nothing_to_say_of_what_is_made_of_legal_images(
    sources: list[Dataset], volume: Volume, caplog: pytest.LogCaptureFixture
) -> None:
    labels = letter_l(volume).astype(np.uint8)
    made = encode(volume, sources, labels, labels.astype(np.float32), origin(card(2), sources), forms=[*Form])
    assert {Form.BINARY, Form.SEGMENT, Form.PLANAR} <= made.objects.keys()
    assert [one.getMessage() for one in caplog.records] == []


def test_a_label_map_and_the_same_labels_as_bits_give_the_same_voxels(sources: list[Dataset], volume: Volume) -> None:
    numbers = letter_l(volume).astype(np.uint8) * 2
    numbers[3, 20:, 15:] = 1
    bits = np.array([0, 1, 2], np.uint8)[numbers]
    made = [
        encode(volume, sources, labels, labels.astype(np.float32), origin(card(2, encoding), sources)).seg
        for labels, encoding in ((numbers, Encoding.LABELMAP), (bits, Encoding.BITS))
    ]
    assert made[0].PixelData == made[1].PixelData
    assert verify(to_bytes(made[0]), sources, volume, numbers, card(2, Encoding.LABELMAP)) == ()


def test_a_segment_without_a_voxel_is_described_and_has_no_frame(sources: list[Dataset], volume: Volume) -> None:
    labels = letter_l(volume).astype(np.uint8)
    result = encode(volume, sources, labels, labels.astype(np.float32), origin(card(2), sources))
    assert [item.SegmentNumber for item in result.seg.SegmentSequence] == [1, 2]
    segments = {
        int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        for frame in result.seg.PerFrameFunctionalGroupsSequence
    }
    assert segments == {1}
    assert (result.measurements[1].voxels, result.measurements[1].volume_ml, result.measurements[1].mean) == (
        0,
        0,
        None,
    )
    assert len(measurement_groups(result)) == 2


def test_nothing_found_gives_one_empty_frame_per_segment(sources: list[Dataset], volume: Volume) -> None:
    labels = np.zeros((6, 24, 20), np.uint8)
    result = encode(volume, sources, labels, labels.astype(np.float32), origin(card(2), sources))
    assert result.seg.NumberOfFrames == 2
    assert not any(result.seg.PixelData.strip(b"\0"))
    assert verify(to_bytes(result.seg), sources, volume, labels, card(2)) == ()


def test_volume_mean_and_deviation_are_those_of_the_voxels(sources: list[Dataset], volume: Volume) -> None:
    labels = letter_l(volume).astype(np.uint8)
    values = np.random.default_rng(1).normal(100, 20, labels.shape).astype(np.float32)
    result = encode(volume, sources, labels, values, origin(card(1), sources))
    (measured,), inside = result.measurements, values[labels == 1].astype(float)
    assert measured.volume_ml == pytest.approx(inside.size * 0.5 * 2.0 * 4.0 / 1000)
    assert measured.mean == pytest.approx(inside.mean())
    assert measured.sd == pytest.approx(inside.std())
    (group,) = measurement_groups(result)
    said = {
        (m.name.meaning, m.derivation.meaning if m.derivation else "", m.unit.value): m.value
        for m in group.get_measurements()
    }
    assert said[("Volume", "", "cm3")] == pytest.approx(measured.volume_ml, rel=1e-5)
    assert said[("MR signal intensity", "Mean", "1")] == pytest.approx(inside.mean(), rel=1e-5)
    assert said[("MR signal intensity", "Standard Deviation", "1")] == pytest.approx(inside.std(), rel=1e-5)


def test_the_sr_names_the_segments_of_the_seg(sources: list[Dataset], volume: Volume) -> None:
    labels = overlapping(volume)
    result = encode(volume, sources, labels, labels.astype(np.float32), origin(card(2), sources))
    for group, segment in zip(measurement_groups(result), result.seg.SegmentSequence, strict=True):
        assert group.tracking_uid == segment.TrackingUID
        assert group.tracking_identifier == segment.TrackingID
        assert group.referenced_segment is not None
        assert group.finding_type is not None
        assert group.referenced_segment.referenced_sop_instance_uid == result.seg.SOPInstanceUID
        assert group.finding_type.value == segment.SegmentedPropertyTypeCodeSequence[0].CodeValue


def test_the_sr_is_preliminary_and_unverified(sources: list[Dataset], volume: Volume) -> None:
    labels = overlapping(volume)
    result = encode(volume, sources, labels, labels.astype(np.float32), origin(card(2), sources))
    assert (result.sr.PreliminaryFlag, result.sr.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert "PredecessorDocumentsSequence" not in result.sr


def test_a_new_version_names_the_document_that_it_supersedes(sources: list[Dataset], volume: Volume) -> None:
    labels, before = overlapping(volume), Predecessor("2.25.11", "2.25.12")
    made = origin(card(2), sources, result_version=2, supersedes=(before,))
    result = encode(volume, sources, labels, labels.astype(np.float32), made)
    (study,) = result.sr.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    assert study.StudyInstanceUID == sources[0].StudyInstanceUID
    assert series.SeriesInstanceUID == "2.25.11"
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.12"


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_references_name_every_source_instance_once(kind: str) -> None:
    images = [enhanced(GRID)] if kind == "enhanced" else mr_series(GRID)
    place = volume_of(images)
    labels = letter_l(place).astype(np.uint8)
    result = encode(place, images, labels, labels.astype(np.float32), origin(card(1), images))
    known = {(str(image.SOPClassUID), str(image.SOPInstanceUID)) for image in images}
    (series,) = result.seg.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == images[0].SeriesInstanceUID
    named = [(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in series.ReferencedInstanceSequence]
    assert (set(named), len(named)) == (known, len(known))
    (study,) = result.sr.CurrentRequestedProcedureEvidenceSequence
    evidence = {
        (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID)
        for listed in study.ReferencedSeriesSequence
        for item in listed.ReferencedSOPSequence
    }
    assert evidence == known | {(result.seg.SOPClassUID, result.seg.SOPInstanceUID)}


def test_the_model_is_named_as_ihe_air_asks(sources: list[Dataset], volume: Volume) -> None:
    labels = overlapping(volume)
    result = encode(volume, sources, labels, labels.astype(np.float32), origin(card(2), sources))
    for made in (result.seg, result.sr):
        scanner, model = made.ContributingEquipmentSequence
        assert scanner.Manufacturer == "Synthetic"
        assert model.PurposeOfReferenceCodeSequence[0].CodeMeaning == "Processing Algorithm"
        assert (model.ManufacturerModelName, model.SoftwareVersions) == ("mri_core_head", "1.0.0")


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros((6, 24, 21), np.uint8),
        np.zeros((6, 24, 20), np.int16),
        np.full((6, 24, 20), 4, np.uint8),
    ],
    ids=["another shape", "another type", "a label that the card does not know"],
)
def test_labels_that_break_the_card_are_the_models_failure(
    labels: NDArray[np.uint8], sources: list[Dataset], volume: Volume
) -> None:
    with pytest.raises(ModelFailed, match="mri_core_head"):
        encode(volume, sources, labels, np.zeros((6, 24, 20), np.float32), origin(card(2), sources))


def test_a_slice_without_its_header_is_refused(sources: list[Dataset], volume: Volume) -> None:
    labels = overlapping(volume)
    with pytest.raises(NotProcessable, match="not there"):
        encode(volume, sources[1:], labels, labels.astype(np.float32), origin(card(2), sources))


def test_a_seg_that_was_tampered_with_is_found_out(sources: list[Dataset], volume: Volume) -> None:
    labels, model = overlapping(volume), card(2)
    good = encode(volume, sources, labels, labels.astype(np.float32), origin(model, sources)).seg

    turned = read(good)
    turned.PixelData = bytes([turned.PixelData[0] ^ 1]) + turned.PixelData[1:]
    assert "differs from the labels in 1 voxels" in verify(to_bytes(turned), sources, volume, labels, model)[0]

    moved = read(good)
    moved.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0].ImagePositionPatient[2] += 0.001
    assert "Frame 3 differs from its source image in position" in verify_files(to_bytes(moved), sources)[0]

    swapped = read(good)
    one, other = (
        swapped.PerFrameFunctionalGroupsSequence[i].DerivationImageSequence[0].SourceImageSequence[0] for i in (0, 1)
    )
    one.ReferencedSOPInstanceUID, other.ReferencedSOPInstanceUID = (
        other.ReferencedSOPInstanceUID,
        one.ReferencedSOPInstanceUID,
    )
    assert len(verify_files(to_bytes(swapped), sources)) == 2

    elsewhere = read(good)
    elsewhere.FrameOfReferenceUID = "1.2.3"
    assert verify_files(to_bytes(elsewhere), sources) == ("FrameOfReferenceUID is not that of the source images",)

    dropped = read(good)
    dropped.PerFrameFunctionalGroupsSequence.pop()
    assert "frames are described" in verify_files(to_bytes(dropped), sources)[0]
    assert "are not there" in verify_files(to_bytes(good), sources[:2])[0]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("ar-ir127", "قباني^لنزار"),
        ("de-ir100", "Äneas^Rüdiger"),
        ("el-ir126", "Διονυσιος"),
        ("he-ir138", "שרון^דבורה"),
        ("ja-halfwidth", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("ja-kanji-iso2022", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ko-iso2022", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ru-ir144", "Люкceмбypг"),
        ("zh-gb18030", "Wang^XiaoDong=王^小东"),
        ("zh-utf8", "Wang^XiaoDong=王^小東"),
    ],
)
def test_names_in_every_repertoire_are_written_in_utf_8(file: str, name: str) -> None:
    path = SHARED / "charset" / "mr-names" / f"{file}.dcm"
    if not path.exists():
        pytest.skip(f"no real image at {path}")
    image = dcmread(path)
    place = volume_of([image])
    labels = letter_l_of_one(place)
    result = encode(place, [image], labels, labels.astype(np.float32), origin(card(1), [image]))
    for made in (result.seg, result.sr):
        assert read(made).SpecificCharacterSet == "ISO_IR 192"
        assert str(read(made).PatientName) == name


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_names_of_every_charset_file_come_through_as_pydicom_reads_them() -> None:
    paths = sorted((SHARED / "charset").rglob("*.dcm"))
    if not paths:
        pytest.skip(f"no real files at {SHARED / 'charset'}")
    for path in paths:
        named, sources = dcmread(path), mr_series(Grid(slices=1, rows=8, columns=8))
        image, place = sources[0], volume_of(sources)
        image.PatientName = str(named.get("PatientName", ""))
        labels = np.ones((1, 8, 8), np.uint8)
        result = encode(place, sources, labels, labels.astype(np.float32), origin(card(1), sources))
        assert str(read(result.seg).PatientName) == str(named.get("PatientName", "")).rstrip(), path.name


def letter_l_of_one(place: Volume) -> Labels:
    labels = np.zeros((1, place.rows, place.columns), np.uint8)
    labels[0, 3:9, 4:6] = 1
    return labels


def test_the_source_headers_are_left_as_they_were(sources: list[Dataset], volume: Volume) -> None:
    before = [source.to_json() for source in sources]
    labels = overlapping(volume)
    encode(volume, sources, labels, labels.astype(np.float32), origin(card(2), sources))
    assert [source.to_json() for source in sources] == before


def test_a_file_that_is_no_segmentation_is_a_difference(sources: list[Dataset], volume: Volume) -> None:
    labels = overlapping(volume)
    result = encode(volume, sources, labels, labels.astype(np.float32), origin(card(2), sources))
    assert verify_files(b"", sources) == ("The file is not a DICOM file",)
    wide = deepcopy(result.seg)
    wide.BitsAllocated = 16
    assert verify_files(to_bytes(wide), sources) == (
        "Segmentation Type BINARY with 16 bits is none that the node makes",
    )
    assert verify_files(to_bytes(sources[0]), sources) == ("None of the source images is referred to",)
    gutted = read(result.seg)
    del gutted.SharedFunctionalGroupsSequence
    assert "lacks" in verify_files(to_bytes(gutted), sources)[0]


def test_odd_pixel_data_ends_with_a_zero_byte() -> None:
    images = mr_series(Grid(slices=1, rows=61, columns=67))
    place, labels = volume_of(images), np.ones((1, 61, 67), np.uint8)
    result = encode(place, images, labels, labels.astype(np.float32), origin(card(1), images))
    assert len(result.seg.PixelData) == 512
    assert result.seg.PixelData[510:] == b"\x7f\0"
