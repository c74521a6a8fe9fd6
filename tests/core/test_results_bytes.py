"""The same inputs give the same bytes in every process; other inputs give other UIDs."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from node.core.card import Encoding
from node.core.part10 import IMPLEMENTATION_VERSION_NAME
from node.core.results import Form, Predecessor, Results, encode, inputs_sha256, to_bytes
from node.core.results.moment import UNKNOWN, moment_of
from tests.results import card, letter_l, origin, volume_of
from tests.synthetic import Grid, enhanced, mr_series


def result(order: str = "ascending", kind: str = "classic", **changes: Any) -> Results:
    sources = [enhanced(Grid(slices=5))] if kind == "enhanced" else mr_series(Grid(slices=5), order=order)
    volume = volume_of(sources)
    labels = letter_l(volume).astype(np.uint8)
    return encode(volume, sources, labels, labels.astype(np.float32), origin(card(2), sources, **changes))


def every_form(kind: str) -> Results:
    sources = [enhanced(Grid(slices=5))] if kind == "enhanced" else mr_series(Grid(slices=5))
    volume = volume_of(sources)
    labels = letter_l(volume).astype(np.uint8)
    made = origin(card(2, Encoding.LABELMAP), sources)
    result = encode(volume, sources, labels, labels.astype(np.float32), made, forms=list(Form))
    assert set(result.objects) == set(Form)
    return result


def digest(made: Results) -> str:
    return hashlib.sha256(b"".join(to_bytes(one) for one in made.objects.values())).hexdigest()


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_two_processes_write_the_same_bytes_in_every_form(kind: str) -> None:
    script = f"from tests.core.test_results_bytes import digest, every_form; print(digest(every_form({kind!r})))"
    root = Path(__file__).resolve().parents[2]
    said = {
        subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, check=True, text=True).stdout
        for _ in range(2)
    }
    assert said == {digest(every_form(kind)) + "\n"}


def test_the_order_of_arrival_does_not_matter() -> None:
    assert digest(result("ascending")) == digest(result("shuffled")) == digest(result("descending"))


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "other"},
        {"rule_set_version": "other"},
        {"node_version": "0.2.0"},
        {"device_serial_number": "NODE-2"},
        {"inputs_sha256": "0" * 64},
        {"volume_key": "EchoTime=6.3"},
        {"result_version": 2},
        {"institution": "Hospital"},
        {"series_number_base": 5000},
        {"supersedes": (Predecessor("2.25.1", "2.25.2"),)},
        {"card": replace(card(2), version="2.0.0")},
        {"card": replace(card(2), sha256="d" * 64)},
        {"card": replace(card(2), weights=replace(card(2).weights, sha256="d" * 64))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_the_content_changes_every_uid(change: dict[str, Any]) -> None:
    before, after = result(), result(**change)
    for old, new in ((before.seg, after.seg), (before.sr, after.sr)):
        assert old.SOPInstanceUID != new.SOPInstanceUID
        assert old.SeriesInstanceUID != new.SeriesInstanceUID


SIBLINGS: list[dict[str, Any]] = [
    {},
    {"result_version": 2},
    {"result_version": 3},
    {"volume_key": "EchoTime=6.3"},
    {"volume_key": "EchoTime=31.6"},
    {"volume_key": "EchoTime=31.6", "result_version": 2},
    {"card": replace(card(2), name="other_model", title="Other model")},
    {"card": replace(card(2), version="2.0.0")},
    {"card": replace(card(2), version="2.0.0"), "result_version": 2},
    {"card": replace(card(2), version="2.0.0"), "volume_key": "EchoTime=6.3"},
]


def test_results_of_one_series_have_series_numbers_and_descriptions_of_their_own() -> None:
    made = [one for change in SIBLINGS for one in result(**change).objects.values()]
    assert len({int(one.SeriesNumber) for one in made}) == len(made)
    assert len({str(one.SeriesDescription) for one in made}) == len(made)
    assert all(0 < one.SeriesNumber < 2**31 for one in made)


def test_the_forms_of_one_result_are_told_apart_as_well() -> None:
    made = every_form("classic").objects.values()
    assert len({int(one.SeriesNumber) for one in made}) == len({one.SeriesDescription for one in made}) == len(Form)


@pytest.mark.parametrize("number", [1, 401, 8999, 9000, 2**31 - 1])
def test_whatever_the_number_of_the_source_that_of_the_result_is_legal(number: int) -> None:
    sources = mr_series(Grid(slices=3), change={"SeriesNumber": number})
    volume = volume_of(sources)
    labels = letter_l(volume).astype(np.uint8)
    seg = encode(volume, sources, labels, labels.astype(np.float32), origin(card(2), sources)).seg
    assert number < seg.SeriesNumber < 2**31 or number == 2**31 - 1


def test_a_long_title_does_not_cut_off_what_tells_results_apart() -> None:
    long = replace(card(2), title="A model with a title that is as long as a title of a model can be, and longer")
    said = [result(card=long, result_version=version).seg.SeriesDescription for version in (1, 2, 3)]
    assert len(set(said)) == len(said)
    assert all(len(one) <= 64 for one in said)


def test_inputs_are_told_apart_by_their_content_and_not_by_their_order() -> None:
    assert inputs_sha256({"1.2": "a", "1.3": None}) == inputs_sha256({"1.3": None, "1.2": "a"})
    assert inputs_sha256({"1.2": "a", "1.3": None}) != inputs_sha256({"1.2": "b", "1.3": None})
    assert inputs_sha256({"1.2": None}) != inputs_sha256({"1.2": None, "1.3": None})


def test_the_file_is_part_10_in_explicit_vr_little_endian() -> None:
    for made in (result().seg, result().sr):
        read = dcmread(BytesIO(to_bytes(made)))
        assert read.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
        assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
        assert read.file_meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME


def test_the_moment_is_the_latest_that_the_sources_know() -> None:
    sources = mr_series(Grid(slices=2))
    sources[0].AcquisitionDate, sources[0].AcquisitionTime = "20250102", "235959.5"
    sources[1].ContentDate, sources[1].ContentTime = "20250103", "000001"
    assert f"{moment_of(sources):%Y%m%d%H%M%S}" == "20250103000001"
    sources[1].AcquisitionDateTime = "20250104120000.250000+0100"
    assert f"{moment_of(sources):%Y%m%d%H%M%S.%f}" == "20250104120000.250000"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_sources_without_a_legal_date_give_a_date_that_is_plainly_not_one() -> None:
    sources = mr_series(Grid(slices=2), change={"StudyDate": "***", "StudyTime": "***"})
    assert moment_of(sources) == UNKNOWN
