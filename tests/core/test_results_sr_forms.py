"""The planar SR: for viewers that draw outlines, with the values of the segment that they are of."""

from __future__ import annotations

from io import BytesIO

import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.card import Code
from node.core.results import SR_FORMS, Evaluation, Form, encode, to_bytes
from node.core.results.labels import Labels
from node.core.results.outline import borders, largest_outline
from tests.results import card, letter_l, origin, volume_of
from tests.synthetic import Grid, enhanced, mr_series

GRID = Grid(slices=6, rows=24, columns=20)


def report(form: Form, sources: list[Dataset], labels: Labels, segments: int = 2) -> Dataset:
    volume, made = volume_of(sources), origin(card(segments), sources)
    return encode(volume, sources, labels, labels.astype(np.float32), made, forms=[form]).sr


def drawn_l(sources: list[Dataset]) -> Labels:
    return letter_l(volume_of(sources)).astype(np.uint8)


def groups(sr: Dataset) -> hd.sr.MeasurementReport:
    content = hd.sr.srread(BytesIO(to_bytes(sr))).content
    assert isinstance(content, hd.sr.MeasurementReport)
    return content


def area(corners: NDArray[np.float64]) -> float:
    column, row = corners[:-1].T
    return float((column * np.roll(row, -1) - np.roll(column, -1) * row).sum() / 2)


@pytest.mark.parametrize("seed", range(10))
def test_borders_enclose_as_many_pixels_as_there_are(seed: int) -> None:
    mask = np.random.default_rng(seed).random((9, 7)) < 0.6
    closed = [np.array([*border, border[0]], float) for border in borders(mask)]
    assert sum(area(border) for border in closed) == np.count_nonzero(mask)
    assert all((np.diff(border, axis=0) != 0).any(axis=1).all() for border in closed)


def test_pixels_that_touch_at_a_corner_are_outlined_apart() -> None:
    assert len(borders(np.eye(3, dtype=np.bool_))) == 3


def test_the_outline_is_that_of_the_largest_part_on_the_largest_slice() -> None:
    mask = np.zeros((3, 8, 9), np.bool_)
    mask[0, 2:4, 2:4] = True
    mask[2, 1:5, 3:6], mask[2, 2, 4], mask[2, 7, 8] = True, False, True
    outline = largest_outline(mask)
    assert outline is not None
    assert outline.plane == 2
    assert {(float(column), float(row)) for column, row in outline.corners} == {(3, 1), (6, 1), (6, 5), (3, 5)}
    assert (outline.corners[0] == outline.corners[-1]).all()
    assert largest_outline(np.zeros((2, 3, 3), np.bool_)) is None


def test_an_outline_fits_into_one_value_however_ragged() -> None:
    ragged = np.zeros((1, 200, 401), np.bool_)
    ragged[0, :, ::2] = True
    ragged[0, 100] = True
    outline = largest_outline(ragged)
    assert outline is not None
    assert 8 * len(outline.corners) <= 65534


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_the_outline_lies_on_the_source_image_where_the_segment_is_largest(kind: str) -> None:
    sources = [enhanced(GRID)] if kind == "enhanced" else mr_series(GRID, order="shuffled")
    labels, volume = drawn_l(sources), volume_of(sources)
    (group,) = groups(report(Form.PLANAR, sources, labels)).get_planar_roi_measurement_groups()
    region = group.roi
    assert region is not None
    image = region.ContentSequence[0].ReferencedSOPSequence[0]
    largest = volume.slices[int(labels.sum(axis=(1, 2)).argmax())]
    assert (image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID) == (
        largest.sop_class_uid,
        largest.sop_instance_uid,
    )
    assert image.get("ReferencedFrameNumber") == largest.frame
    assert region.GraphicType == "POLYLINE"


def test_the_outline_has_the_values_and_the_tracking_uid_of_the_segment() -> None:
    sources = mr_series(GRID)
    labels = drawn_l(sources) * 3
    outlines = groups(report(Form.PLANAR, sources, labels)).get_planar_roi_measurement_groups()
    segments = groups(report(Form.SEGMENT, sources, labels)).get_volumetric_roi_measurement_groups()
    assert [group.tracking_uid for group in outlines] == [group.tracking_uid for group in segments]
    for drawn, pointed in zip(outlines, segments, strict=True):
        assert [one.value for one in drawn.get_measurements()] == [one.value for one in pointed.get_measurements()]
        assert len(drawn.get_measurements()) == 4


def test_what_was_not_found_is_left_out_unless_nothing_was() -> None:
    sources = mr_series(GRID)
    labels = drawn_l(sources)
    one, none = (groups(report(Form.PLANAR, sources, found)) for found in (labels, labels * 0))
    assert len(one.get_planar_roi_measurement_groups()) == 1
    assert not one.get_image_measurement_groups()
    nothing = none.get_image_measurement_groups()
    assert [[measured.value for measured in group.get_measurements()] for group in nothing] == [[0.0], [0.0]]


def test_where_nothing_was_found_viewers_are_told_to_show_words() -> None:
    sources = mr_series(GRID)
    labels = drawn_l(sources)
    titles = [
        report(Form.PLANAR, sources, found).ConceptNameCodeSequence[0].CodeValue for found in (labels, labels * 0)
    ]
    assert titles == ["126000", "18748-4"]


def test_the_planar_form_refers_to_images_only() -> None:
    sources = mr_series(GRID)
    sr = report(Form.PLANAR, sources, drawn_l(sources))
    named = {str(element.value) for element in sr.iterall() if element.keyword == "ReferencedSOPInstanceUID"}
    assert named == {str(source.SOPInstanceUID) for source in sources}


def test_the_forms_are_documents_of_their_own() -> None:
    sources = mr_series(GRID)
    made = [report(form, sources, drawn_l(sources)) for form in sorted(SR_FORMS)]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber"):
        assert len({getattr(sr, keyword) for sr in made}) == len(SR_FORMS)


QUALITY, GOOD = Code("QUALITY", "99MRICORE", "Image quality"), Code("20572008", "SCT", "Good")
FAMILIAR, YES = Code("FAMILIAR", "99MRICORE", "Images like those of training"), Code("373066001", "SCT", "Yes")


def words(container: Dataset) -> list[tuple[str, str]]:
    """Name and value of the codes right under a content item, but for what every group says of its finding."""
    return [
        (item.ConceptNameCodeSequence[0].CodeValue, item.ConceptCodeSequence[0].CodeValue)
        for item in container.ContentSequence
        if item.ValueType == "CODE" and not item.ConceptNameCodeSequence[0].CodeMeaning.startswith("Finding")
    ]


def named(sr: Dataset, meaning: str) -> list[Dataset]:
    """Containers of that name, at any depth."""
    found = []
    for item in sr.get("ContentSequence", []):
        if item.ValueType == "CONTAINER" and item.ConceptNameCodeSequence[0].CodeMeaning == meaning:
            found.append(item)
        found += named(item, meaning)
    return found


def evaluated(form: Form, *evaluations: Evaluation, found: int = 1) -> Dataset:
    sources = mr_series(GRID)
    volume, made, labels = volume_of(sources), origin(card(2), sources), drawn_l(sources) * np.uint8(found)
    result = encode(volume, sources, labels, labels.astype(np.float32), made, forms=[form], evaluations=evaluations)
    return dcmread(BytesIO(to_bytes(result.sr)))


@pytest.mark.parametrize("form", sorted(SR_FORMS))
def test_what_a_model_says_of_a_segment_stands_in_its_group(form: Form) -> None:
    sr = evaluated(form, Evaluation(QUALITY, GOOD, segment=2), found=3)
    assert [words(group) for group in named(sr, "Measurement Group")] == [[], [("QUALITY", "20572008")]]
    assert not named(sr, "Qualitative Evaluations")


@pytest.mark.parametrize("form", sorted(SR_FORMS))
def test_what_a_model_says_of_the_images_stands_for_itself(form: Form) -> None:
    sr = evaluated(form, Evaluation(QUALITY, GOOD), Evaluation(FAMILIAR, YES), found=3)
    (container,) = named(sr, "Qualitative Evaluations")
    assert words(container) == [("QUALITY", "20572008"), ("FAMILIAR", "373066001")]


def test_the_planar_form_calls_absent_what_was_not_found() -> None:
    (container,) = named(evaluated(Form.PLANAR, Evaluation(QUALITY, GOOD, segment=2)), "Qualitative Evaluations")
    lesion = card(2).segments[1].type.value
    assert words(container) == [(lesion, "2667000"), ("QUALITY", "20572008")]


def test_an_evaluation_of_a_segment_that_does_not_exist_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="segment 7"):
        evaluated(Form.SEGMENT, Evaluation(QUALITY, GOOD, segment=7))
