"""Query strings of Search are read as PS3.18 8.3.4 means them; what cannot be meant is refused with a sentence."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.dicomweb.attributes import Level
from node.core.dicomweb.matching import AnyOf, Fuzzy, NamePattern, Pattern, Range
from node.core.dicomweb.query import Query, read_query
from node.errors import Usage


def read(*pairs: tuple[str, str], level: Level = Level.STUDY, study: str = "") -> Query:
    return read_query(level, pairs, study=study)


@pytest.mark.parametrize("name", ["PatientID", "00100020"])
def test_a_key_is_named_by_keyword_or_by_tag(name: str) -> None:
    assert read((name, "P1")).matches == {"PatientID": AnyOf(("P1",))}


@pytest.mark.parametrize("text", ["1.2,1.3", "1.2\\1.3", " 1.2 , 1.3 ,"])
def test_a_list_of_uids_has_commas_or_backslashes(text: str) -> None:
    assert read(("StudyInstanceUID", text)).matches == {"StudyInstanceUID": AnyOf(("1.2", "1.3"))}


def test_what_is_not_a_uid_is_refused() -> None:
    with pytest.raises(Usage, match="not a UID"):
        read(("StudyInstanceUID", "../../etc/passwd"))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("20240101", AnyOf(("20240101",))),
        ("20240101-20240131", Range("20240101", "20240131")),
        ("-20240131", Range("", "20240131")),
        ("20240101-", Range("20240101", "")),
    ],
)
def test_dates_are_single_or_ranges(text: str, match: AnyOf | Range) -> None:
    assert read(("StudyDate", text)).matches == {"StudyDate": match}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("10", Range("100000.000000", "105959.999999")),
        ("101112.5", Range("101112.500000", "101112.599999")),
        ("0900-1730", Range("090000.000000", "173059.999999")),
        ("-12", Range("", "125959.999999")),
    ],
)
def test_a_time_stands_for_all_the_moments_that_it_leaves_open(text: str, match: Range) -> None:
    assert read(("StudyTime", text)).matches == {"StudyTime": match}


def test_ranges_of_date_and_time_are_one_range_of_moments() -> None:
    query = read(("StudyDate", "20240101-20240103"), ("StudyTime", "1000-1200"))
    assert query.moment == Range("20240101100000.000000", "20240103120059.999999")
    assert not query.matches


@pytest.mark.parametrize("text", ["2024", "20240101-20240102-20240103", "tomorrow", "٢٠٢٤٠١٠١"])
def test_a_date_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Usage, match="StudyDate"):
        read(("StudyDate", text))


def test_names_match_literally_unless_fuzzy_matching_is_asked_for() -> None:
    assert read(("PatientName", "Müller^Eva")).matches == {"PatientName": NamePattern("muller^eva")}
    fuzzy = read(("PatientName", "Eva Müller"), ("fuzzymatching", "true")).matches["PatientName"]
    assert isinstance(fuzzy, Fuzzy)
    assert fuzzy.words[1] == ("muller", "mueller")


def test_a_wild_card_makes_a_pattern_and_nothing_but_stars_asks_for_anything() -> None:
    assert read(("PatientID", "A*")).matches == {"PatientID": Pattern("A*")}
    assert read(("PatientID", "*")).matches == {}
    assert read(("PatientID", "")).matches == {}


def test_what_is_asked_for_is_returned_too() -> None:
    query = read(("PatientID", ""), ("includefield", "00081030,PatientAge"), ("includefield", "StudyID"))
    assert query.fields == {"PatientID", "StudyDescription", "PatientAge", "StudyID"}
    assert read(("includefield", "all")).all_fields


def test_a_sequence_key_is_a_path() -> None:
    query = read(("RequestAttributesSequence.00400009", "S1"), level=Level.SERIES)
    assert query.matches == {"RequestAttributesSequence.ScheduledProcedureStepID": AnyOf(("S1",))}


def test_a_key_that_is_not_searched_is_passed_over_with_a_warning_and_a_name_that_is_none_is_refused() -> None:
    assert "EchoTime" in read(("EchoTime", "10")).warnings[0]
    with pytest.raises(Usage, match="neither"):
        read(("PatietName", "Doe"))


def test_a_key_of_a_lower_level_is_passed_over_with_a_warning() -> None:
    assert "Modality" in read(("Modality", "MR")).warnings[0]


def test_an_attribute_that_is_asked_for_twice_is_refused() -> None:
    with pytest.raises(Usage, match="twice"):
        read(("PatientID", "1"), ("00100020", "2"))


def test_the_path_holds_beside_the_query() -> None:
    assert read(study="1.2", level=Level.SERIES).matches == {"StudyInstanceUID": AnyOf(("1.2",))}
    both = read(("StudyInstanceUID", "1.3"), study="1.2", level=Level.SERIES)
    assert both.matches == {"StudyInstanceUID": AnyOf(())}


@pytest.mark.parametrize("pair", [("limit", "-1"), ("offset", "x"), ("limit", "1" * 30), ("fuzzymatching", "perhaps")])
def test_an_option_that_cannot_be_meant_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(Usage, match=pair[0]):
        read(pair)


def test_modalities_may_be_a_list() -> None:
    assert read(("ModalitiesInStudy", "MR,CT")).matches == {"ModalitiesInStudy": AnyOf(("MR", "CT"))}


_NAMES = st.sampled_from(
    ["PatientName", "StudyDate", "StudyTime", "StudyInstanceUID", "limit", "offset", "includefield", "fuzzymatching"]
)


@given(st.lists(st.tuples(_NAMES | st.text(max_size=30), st.text(max_size=60)), max_size=8), st.sampled_from(Level))
def test_any_parameters_are_read_or_refused(pairs: list[tuple[str, str]], level: Level) -> None:
    with suppress(Usage):
        read_query(level, pairs)
