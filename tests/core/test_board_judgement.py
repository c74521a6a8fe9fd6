"""The board's judgements: how each thing stands, in one sentence, with what helps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.board import SAMPLES_AT_LEAST, Sample, Standing, Verdict, judge, trend, worst
from node.core.board.trend import Trend
from node.core.ledger import Balance

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GB = 10**9


def samples(per_day: float, days: float = 3.0, number: int = 24, begin: int = 100 * GB) -> list[Sample]:
    """Room that shrinks by so many bytes a day."""
    step = timedelta(days=days / (number - 1))
    return [Sample(NOON + at * step, int(begin - per_day * days * at / (number - 1))) for at in range(number)]


def test_days_left_are_foretold_from_what_was_free_before() -> None:
    found = trend(samples(10 * GB), room=70 * GB)
    assert found.bytes_per_day == pytest.approx(10 * GB)
    assert found.days_left == pytest.approx(7.0)


def test_without_enough_history_nothing_is_foretold() -> None:
    few = samples(10 * GB, number=SAMPLES_AT_LEAST - 1)
    short = samples(10 * GB, days=0.4)
    for history in ([], few, short):
        assert trend(history, GB) == Trend(None, None)
        assert judge.disk(GB, trend(history, GB)).sentence.startswith("There is not enough history")


def test_a_disk_that_gets_emptier_has_no_last_day() -> None:
    found = trend(samples(-GB), room=GB)
    assert found.days_left is None
    assert judge.disk(GB, found) == Verdict(Standing.OK, "It does not fill up.")


@given(st.floats(1e6, 1e13), st.integers(0, 10**15), st.integers(SAMPLES_AT_LEAST, 60))
def test_a_line_is_found_again_and_days_are_never_negative(per_day: float, room: int, number: int) -> None:
    found = trend(samples(per_day, number=number, begin=10**15), room)
    assert found.bytes_per_day == pytest.approx(per_day, rel=1e-2, abs=1e3)
    assert found.days_left is not None
    assert found.days_left >= 0


@pytest.mark.parametrize(
    ("room", "days", "standing"),
    [(-1, 90.0, Standing.ACT), (GB, 2.0, Standing.ACT), (GB, 10.0, Standing.ATTENTION), (GB, 90.0, Standing.OK)],
)
def test_a_disk_that_fills_up_is_told_in_time(room: int, days: float, standing: Standing) -> None:
    assert judge.disk(room, Trend(GB, days)).standing is standing


def test_a_residue_is_an_alarm_and_what_waits_for_a_person_is_not() -> None:
    lost = judge.balance(Balance(received=5, delivered=2, filtered=0, waiting=0, held=0, failed=0))
    held = judge.balance(Balance(received=5, delivered=2, filtered=0, waiting=0, held=2, failed=1))
    whole = judge.balance(Balance(received=5, delivered=2, filtered=0, waiting=3, held=0, failed=0))
    assert (lost.standing, held.standing, whole.standing) == (Standing.ACT, Standing.ATTENTION, Standing.OK)
    assert "3 acknowledged instances" in lost.sentence
    assert "check --ledger" in lost.cure
    assert judge.balance(None).standing is Standing.OK


@pytest.mark.parametrize(
    ("left", "standing", "words"),
    [
        (90 * DAY, Standing.OK, "expires in 90 days"),
        (20 * DAY, Standing.ATTENTION, "expires in 20 days"),
        (6 * HOUR, Standing.ACT, "expires in less than a day"),
        (-DAY, Standing.ACT, "expired on 2026-01-04"),
    ],
)
def test_a_certificate_is_told_before_it_expires(left: timedelta, standing: Standing, words: str) -> None:
    said = judge.certificate(NOON + left, "", NOON)
    assert said.standing is standing
    assert words in said.sentence


def test_a_source_that_went_quiet_or_was_refused_is_looked_at() -> None:
    assert judge.known_source(NOON - HOUR, 0, "", NOON).standing is Standing.OK
    assert judge.known_source(NOON - 5 * DAY, 0, "", NOON).sentence == "Nothing came from it for 5 days."
    assert judge.known_source(NOON, 1, "", NOON).sentence == "1 instance was not taken in the last day."
    assert judge.known_source(None, 0, "", NOON).standing is Standing.ATTENTION
    assert judge.known_source(None, 0, "", NOON, is_followed=True).standing is Standing.OK
    assert judge.known_source(NOON, 0, "it does not answer", NOON).standing is Standing.ACT
    assert "Admit it" in judge.unknown_source("its AE title is not listed").cure


def test_a_destination_that_fails_for_long_needs_somebody_now() -> None:
    def judged(waits: str, oldest: timedelta | None) -> Standing:
        return judge.destination("pacs", waits, 3, oldest, paused=False, shut=False).standing

    assert judged("waiting for pacs since 11:00, 3 queued", 5 * HOUR) is Standing.ACT
    assert judged("waiting for pacs since 11:59, 3 queued", timedelta(minutes=1)) is Standing.ATTENTION
    assert judged("", 5 * HOUR) is Standing.ATTENTION
    assert judged("", timedelta(minutes=1)) is Standing.OK
    assert judge.destination("pacs", "", 3, None, paused=True, shut=False).standing is Standing.ATTENTION
    assert judge.destination("pacs", "", 3, None, paused=False, shut=True).standing is Standing.OK


def test_a_model_says_why_it_is_not_ready() -> None:
    def judged(reported: bool, fault: str, paused: bool = False, alone: bool = False) -> Verdict:
        return judge.model(reported, fault, paused=paused, alone=alone)

    assert judged(True, "").sentence == "Its canary passed."
    assert judged(True, "the canary gave Head with a Dice coefficient of 0.1").standing is Standing.ACT
    assert judged(False, "").standing is Standing.ATTENTION
    assert judged(True, "", alone=True).standing is Standing.ACT
    assert judged(True, "", paused=True).standing is Standing.ATTENTION


def test_jobs_that_are_late_come_before_those_that_failed() -> None:
    assert judge.jobs(3, 1, None).standing is Standing.ACT
    assert judge.jobs(3, 0, None).sentence == "3 jobs failed or could not be processed."
    assert judge.jobs(0, 0, 2 * HOUR).sentence == "The oldest job waits for 2 hours."
    assert judge.jobs(0, 0, None).standing is Standing.OK


def test_clocks_and_processes() -> None:
    assert judge.clock(None).standing is Standing.OK
    assert judge.clock(-60.0).sentence.startswith("This machine's clock is -60 s")
    assert judge.process(2.0).standing is Standing.OK
    assert judge.process(30.0).standing is Standing.ATTENTION


def test_what_needs_somebody_says_what_helps_and_what_does_not_is_silent() -> None:
    said = [
        judge.balance(Balance(5, 2, 0, 0, 0, 0)),
        judge.jobs(1, 0, None),
        judge.disk(-1, Trend(None, None)),
        judge.certificate(None, "the file cannot be read", NOON),
        judge.clock(60.0),
        judge.process(60.0),
        judge.unknown_source("x" * 1000),
    ]
    assert all(one.cure and one.sentence.endswith((".", "…")) and len(one.sentence) < 400 for one in said)
    assert worst(said) is Standing.ACT
    assert worst([]) is Standing.OK
