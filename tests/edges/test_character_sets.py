"""Names in every character set: received as they are, and found again in their own script."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from node.adapters.database.trace import find
from node.core.status import SUCCESS
from tests.real import DATA, read
from tests.receiving import Store, encoded, from_file
from tests.synthetic import Grid, mr_series

NAMES = {
    "ar-ir127": "قباني",
    "de-ir100": "Äneas",
    "el-ir126": "Διονυσιος",
    "he-ir138": "דבורה",
    "ja-halfwidth": "ﾔﾏﾀﾞ",
    "ja-kanji-iso2022": "山田",
    "ko-iso2022": "길동",
    "ru-ir144": "Люкceмбypг",
    "zh-gb18030": "王",
    "zh-utf8": "王",
}


SAMPLES = DATA / "charset" / "pydicom-charsets"
NAMED = [path for path in sorted(SAMPLES.glob("*.dcm")) if "SQEncoding" not in path.name]  # those name nobody


def receive(store: Store, path: Path) -> Dataset:
    """Receive the file as DCMTK would send it; its data set. Skips where it is not there."""
    if not path.is_file():
        pytest.skip(f"no real data at <repository>/../shared/data/charset: {path.name}")
    ds = read(path)
    one = replace(from_file(path.read_bytes()), sop_instance_uid=str(ds.SOPInstanceUID))
    assert store.receive(one).status == SUCCESS
    return ds


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_series_is_found_by_its_patients_name_in_its_own_script(store: Store, name: str) -> None:
    ds = receive(store, DATA / "charset" / "mr-names" / f"{name}.dcm")
    (line,) = find(store.database, NAMES[name])
    assert line.series_instance_uid == ds.SeriesInstanceUID
    assert NAMES[name] in line.patient_name


def test_a_thai_name_is_read_as_thai(store: Store) -> None:
    receive(store, DATA / "charset" / "mr-names" / "th-ir166.dcm")
    (row,) = store.series()
    assert any("\u0e00" <= letter <= "\u0e7f" for letter in row.patient_name)
    assert [line.patient_name for line in find(store.database, row.patient_name)] == [row.patient_name]


@pytest.mark.skipif(not NAMED, reason="no real data at <repository>/../shared/data/charset/pydicom-charsets")
@pytest.mark.parametrize("path", NAMED, ids=[path.name for path in NAMED])
def test_whatever_the_character_set_a_patient_is_found_by_the_name_that_is_shown(store: Store, path: Path) -> None:
    receive(store, path)
    (row,) = store.series()
    assert row.patient_name
    assert "\ufffd" not in row.patient_name
    assert [line.patient_name for line in find(store.database, row.patient_name)] == [row.patient_name]


@pytest.mark.parametrize("asked", ["müller", "MULLER", "Muller", "muller", "ＭＵＬＬＥＲ"])
def test_the_search_asks_for_no_case_no_accents_and_no_width(store: Store, asked: str) -> None:
    store.receive(encoded(mr_series(Grid(slices=1), change={"PatientName": "Müller^Jürgen"})[0]))
    assert [line.patient_name for line in find(store.database, asked)] == ["Müller^Jürgen"]


@pytest.mark.parametrize("asked", ["%", "_", "", "  ", "' OR 1=1 --", "\\"])
def test_what_means_something_to_a_database_means_nothing_to_the_search(store: Store, asked: str) -> None:
    store.receive(encoded(mr_series(Grid(slices=1))[0]))
    assert find(store.database, asked) == []
