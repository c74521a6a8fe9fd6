"""A result that says something else than the model is found out, whatever its form."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.card import Encoding
from node.core.results import Form, encode, to_bytes, verify, verify_files
from tests.results import card, letter_l, origin, values_of, volume_of
from tests.synthetic import Grid, enhanced, mr_series

GRID = Grid(slices=6, rows=25, columns=21)
MODEL = card(2, Encoding.LABELMAP)


def drawn(sources: list[Dataset]) -> NDArray[np.uint8]:
    """An L of segment 1 with a hole, and a block of segment 2."""
    labels = letter_l(volume_of(sources)).astype(np.uint8)
    labels[2, 5, 3] = 0
    labels[3, 15:, 15:] = 2
    return labels


def made(sources: list[Dataset], labels: NDArray[np.uint8]) -> dict[Form, bytes]:
    volume = volume_of(sources)
    values = values_of(volume, sources)
    objects = encode(volume, sources, labels, values, origin(MODEL, sources), forms=list(Form)).objects
    return {form: to_bytes(ds) for form, ds in objects.items()}


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
@pytest.mark.parametrize("found", ["both", "one", "nothing"])
def test_every_form_of_a_true_result_passes(kind: str, found: str) -> None:
    sources = [enhanced(GRID)] if kind == "enhanced" else mr_series(GRID, order="shuffled")
    labels = drawn(sources)
    labels[(labels == 2) if found == "one" else np.full(labels.shape, found == "nothing")] = 0
    objects = made(sources, labels)
    assert set(objects) == set(Form)
    for form, content in objects.items():
        assert verify(content, sources, volume_of(sources), labels, MODEL) == (), form
        assert verify_files(content, sources) == (), form


def moved(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.roll(labels, 1, axis=2)


def on_the_next_slice(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.roll(labels, 1, axis=0)


def exchanged(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.array([0, 2, 1], np.uint8)[labels]


def smaller(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    less = labels.copy()
    less[2:4, 4:8, 2] = 0
    less[3, 20:, 18:] = 0
    return less


SEES: dict[Callable[[NDArray[np.uint8]], NDArray[np.uint8]], set[Form]] = {
    moved: set(Form) - {Form.SEGMENT, Form.PDF},  # volumes are the same
    on_the_next_slice: set(Form) - {Form.SEGMENT, Form.PDF},
    exchanged: set(Form) - {Form.OVERLAY, Form.PDF},
    smaller: set(Form) - {Form.PDF},
}


@pytest.mark.parametrize("changed", SEES, ids=lambda changed: changed.__name__)
def test_a_result_of_other_labels_is_found_out(changed: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> None:
    sources = mr_series(GRID)
    labels = drawn(sources)
    objects = made(sources, changed(labels))
    blind = {
        form for form, content in objects.items() if not verify(content, sources, volume_of(sources), labels, MODEL)
    }
    assert blind == set(Form) - SEES[changed]


@pytest.mark.parametrize("form", Form)
def test_a_result_of_another_patient_is_found_out(form: Form) -> None:
    sources = mr_series(GRID)
    ds = dcmread(BytesIO(made(sources, drawn(sources))[form]))
    ds.PatientID = "SOMEBODY ELSE"
    assert verify_files(to_bytes(ds), sources) == ("PatientID is not that of the source images",)


@pytest.mark.parametrize("form", Form)
def test_a_result_of_another_series_is_found_out(form: Form) -> None:
    sources, others = mr_series(GRID), mr_series(GRID)
    for other in others:
        other.SOPInstanceUID = f"{other.SOPInstanceUID}9"
    assert verify_files(made(sources, drawn(sources))[form], others)
