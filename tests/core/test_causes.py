"""What is stuck alike has one key, and what is stuck otherwise has another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.causes import Kind, key, kind_of, of_job, of_series, read
from node.core.states import STUCK_JOBS, JobState
from node.errors import BadInstance, DestinationRefused, ModelFailed, NotProcessable, Permanent, ResultRejected


def test_numbers_uids_and_what_is_quoted_make_no_difference() -> None:
    one = key(Kind.NOT_PROCESSABLE, "head", "slice 12 of 1.2.840.1 is 3.25 mm from the next, which 'a' says")
    other = key(Kind.NOT_PROCESSABLE, "head", "slice 7 of 1.2.3 is -4 mm from the next, which 'b c' says")
    assert one == other


@pytest.mark.parametrize(
    "other",
    [
        key(Kind.FAILED, "head", "it is 3 mm"),
        key(Kind.NOT_PROCESSABLE, "knee", "it is 3 mm"),
        key(Kind.NOT_PROCESSABLE, "head", "it is 3 cm"),
        key(Kind.NOT_PROCESSABLE, "head", "it was 3 mm"),
    ],
)
def test_kind_place_and_words_do(other: str) -> None:
    assert key(Kind.NOT_PROCESSABLE, "head", "it is 3 mm") != other


def test_a_status_of_the_standard_is_a_word() -> None:
    assert key(Kind.REFUSED, "", "pacs answered A900") != key(Kind.REFUSED, "", "pacs answered C000")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (NotProcessable(""), Kind.NOT_PROCESSABLE),
        (ModelFailed(""), Kind.MODEL),
        (ResultRejected(""), Kind.CHECK),
        (DestinationRefused(""), Kind.REFUSED),
        (BadInstance(""), Kind.INSTANCE),
        (Permanent(""), Kind.FAILED),
    ],
)
def test_the_kind_follows_from_the_error(fault: Permanent, kind: Kind) -> None:
    assert kind_of(fault) is kind


def test_only_what_waits_for_a_person_has_a_cause() -> None:
    assert {state for state in JobState if of_job(state, None, "head", "why")} == STUCK_JOBS


def test_a_series_that_no_rule_took_is_unknown() -> None:
    assert read(of_series("", "no rule matches")) is Kind.UNKNOWN
    assert read(of_series("brain", "a person looks first")) is Kind.HELD


@given(st.sampled_from(Kind), st.text(max_size=40), st.text(max_size=200))
def test_a_key_is_short_safe_in_an_address_and_tells_its_kind(kind: Kind, where: str, sentence: str) -> None:
    made = key(kind, where, sentence)
    assert len(made) <= 40
    assert made.replace(".", "").replace("_", "").isalnum()
    assert read(made) is kind


@given(st.text(max_size=60))
def test_what_is_no_key_has_no_kind(text: str) -> None:
    assert read(text) is None or text.partition(".")[0] in list(Kind)
