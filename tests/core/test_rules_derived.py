"""What the headers say between the lines."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from node.core.rules import Subject, header_facts


def facts(*series: dict[str, object]) -> dict[str, object]:
    datasets = [Dataset() for _ in series]
    for ds, elements in zip(datasets, series, strict=True):
        for keyword, value in elements.items():
            setattr(ds, keyword, value)
    return dict(header_facts(Subject(datasets)))


def test_nothing_is_made_up_for_headers_that_say_nothing() -> None:
    assert facts() == {}
    assert facts({}) == {"series.contrast": False}, "PS3.3 A.4.3: the module is there when contrast was used"


@pytest.mark.parametrize(("said", "answer"), [("3D", True), ("2D", False), ("", None), ("4D", None)])
def test_a_series_is_3d_when_its_acquisition_type_says_so(said: str, answer: bool | None) -> None:
    assert facts({"MRAcquisitionType": said}).get("series.is_3d") is answer


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"ContrastBolusAgent": "Gadavist"}, True),
        ({"ContrastBolusAgent": ""}, None),
        ({"ContrastBolusRoute": "IV"}, None),
        ({"ContrastBolusVolume": "0"}, False),
        ({"ContrastBolusAgent": "Gadavist", "ContrastBolusVolume": "0"}, False),
    ],
)
def test_contrast_is_what_the_contrast_attributes_say(said: dict[str, object], answer: bool | None) -> None:
    assert facts(said).get("series.contrast") is answer


def test_instances_that_differ_settle_nothing() -> None:
    mixed = facts({"ContrastBolusAgent": "a", "MRAcquisitionType": "3D"}, {"MRAcquisitionType": "2D"})
    assert mixed == {}


@pytest.mark.parametrize(
    ("born", "seen", "age"),
    [
        ("20000229", "20180228", "017Y"),
        ("20000229", "20180301", "018Y"),
        ("20000301", "20180301", "018Y"),
        ("20230115", "20240214", "012M"),
        ("20240101", "20240131", "030D"),
        ("20240101", "20240101", "000D"),
        ("20250101", "20240101", None),
        ("", "20240101", None),
        ("20240231", "20240301", None),
    ],
)
def test_an_age_that_is_not_stated_is_counted_from_birth_to_study(born: str, seen: str, age: str | None) -> None:
    assert facts({"PatientBirthDate": born, "StudyDate": seen}).get("patient.age") == age


def test_a_stated_age_stands_and_an_empty_one_is_worked_out() -> None:
    dates: dict[str, object] = {"PatientBirthDate": "20000101", "StudyDate": "20240101"}
    assert facts({**dates, "PatientAge": "042Y"})["patient.age"] == "042Y"
    assert facts({**dates, "PatientAge": ""})["patient.age"] == "024Y"


@settings(deadline=None)  # the machine may be busy
@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.dates(date(1900, 1, 1), date(2100, 1, 1)))
def test_an_age_is_always_one_that_as_can_hold(born: date, seen: date) -> None:
    age = facts({"PatientBirthDate": f"{born:%Y%m%d}", "StudyDate": f"{seen:%Y%m%d}"}).get("patient.age")
    assert (age is None) == (seen < born)
    if isinstance(age, str):
        assert len(age) == 4
        assert age[-1] in "DMY"
