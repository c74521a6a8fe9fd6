"""The colour overlay shows each finding over the slice that it was found on."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.card import Encoding
from node.core.results import Form, Origin, encode, to_bytes, verify
from node.core.results.overlay import rgb
from node.core.volume import Volume
from tests.results import card, letter_l, origin, values_of, volume_of
from tests.synthetic import Grid, enhanced, mr_series

GRID = Grid(slices=6, rows=24, columns=21)


def overlay(
    volume: Volume, sources: list[Dataset], labels: NDArray[np.uint8], values: NDArray[np.float32], made: Origin
) -> Dataset:
    return encode(volume, sources, labels, values, made, forms=[Form.OVERLAY]).objects[Form.OVERLAY]


def shown(sources: list[Dataset], found: bool = True) -> tuple[Dataset, NDArray[np.uint8]]:
    volume = volume_of(sources)
    labels = letter_l(volume).astype(np.uint8) * found
    made = overlay(volume, sources, labels, values_of(volume, sources), origin(card(2), sources))
    return dcmread(BytesIO(to_bytes(made))), labels


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_colour_is_where_the_labels_are_and_nowhere_else(kind: str) -> None:
    sources = [enhanced(GRID)] if kind == "enhanced" else mr_series(GRID, order="shuffled")
    capture, labels = shown(sources)
    found = [index for index in range(6) if labels[index].any()]
    pixels = capture.pixel_array.astype(int)
    assert len(pixels) == len(found)
    assert capture.FrameLabelVector == [f"Slice {index + 1}" for index in found]
    colourful = pixels.max(axis=-1) - pixels.min(axis=-1) > 10
    assert (colourful == (labels[found] == 1)).all()


def test_it_is_a_legal_capture_that_names_its_sources_and_its_patient() -> None:
    sources = mr_series(GRID)
    capture, _ = shown(sources)
    assert capture.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7.4"
    assert (capture.PatientID, capture.StudyInstanceUID) == (sources[0].PatientID, sources[0].StudyInstanceUID)
    assert capture.SeriesInstanceUID != sources[0].SeriesInstanceUID
    named = {item.ReferencedSOPInstanceUID for item in capture.SourceImageSequence}
    assert named == {source.SOPInstanceUID for source in sources}


def test_where_nothing_was_found_the_middle_slice_is_grey() -> None:
    capture, _ = shown(mr_series(GRID), found=False)
    assert capture.NumberOfFrames == 1
    assert (np.ptp(capture.pixel_array, axis=-1) == 0).all()


@pytest.mark.parametrize("slices", [89, 90, 184])
def test_viewers_do_not_take_many_slices_for_a_video(slices: int) -> None:
    sources = mr_series(Grid(slices=slices, rows=6, columns=5, slice_spacing=1.0))
    volume = volume_of(sources)
    labels, model = np.zeros((slices, 6, 5), np.uint8), card(1)
    labels[:, 2:4, 1:3] = 1
    made = overlay(volume, sources, labels, values_of(volume, sources), origin(model, sources))
    assert made.NumberOfFrames == len(set(made.FrameLabelVector)) == 89
    assert (made.FrameLabelVector[0], made.FrameLabelVector[-1]) == ("Slice 1", f"Slice {slices}")
    assert verify(to_bytes(made), sources, volume, labels, model) == ()


def test_the_same_inputs_give_the_same_bytes_and_the_seg_has_another_series() -> None:
    sources = mr_series(GRID)
    volume = volume_of(sources)
    labels, values, made = letter_l(volume).astype(np.uint8), values_of(volume, sources), origin(card(2), sources)
    once, again = (overlay(volume, sources, labels, values, made) for _ in range(2))
    assert to_bytes(once) == to_bytes(again)
    seg = encode(volume, sources, labels, values, made).seg
    assert (seg.SeriesInstanceUID, seg.SeriesNumber) != (once.SeriesInstanceUID, once.SeriesNumber)


@pytest.mark.parametrize(
    ("lab", "srgb"),
    [
        ((0.0, 0.0, 0.0), (0, 0, 0)),
        ((100.0, 0.0, 0.0), (255, 255, 255)),
        ((54.29, 80.81, 69.89), (255, 0, 0)),
        ((87.82, -79.29, 80.99), (0, 255, 0)),
        ((29.57, 68.30, -112.03), (0, 0, 255)),
    ],
)
def test_colours_are_those_of_the_card(lab: tuple[float, float, float], srgb: tuple[int, int, int]) -> None:
    assert rgb(lab) == pytest.approx(srgb, abs=3)


def test_a_label_map_is_painted_as_well() -> None:
    sources = mr_series(GRID)
    volume = volume_of(sources)
    labels = letter_l(volume).astype(np.uint8) * 2
    made = overlay(volume, sources, labels, values_of(volume, sources), origin(card(2, Encoding.LABELMAP), sources))
    pixels = dcmread(BytesIO(to_bytes(made))).pixel_array.astype(int)
    assert (np.ptp(pixels, axis=-1) > 10).any()
