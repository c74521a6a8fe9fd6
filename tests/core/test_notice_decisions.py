"""Who is told what of a cause, and when: once, in digests, not when somebody knows, and that it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.notices import (
    NEVER,
    Alarm,
    Kind,
    Listener,
    Severity,
    Sighting,
    Told,
    What,
    acknowledged,
    caught_up,
    due,
    ended,
    seen,
)
from node.core.windows import Window

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
IT = Listener("it")
PACS = Sighting(Kind.DESTINATION, "pacs", Severity.WARNING, "pacs does not answer")
FAILED = Sighting(Kind.FAILED, "", Severity.WARNING, "2 jobs failed", 2)


def begun(one: Sighting, at: datetime = NOON) -> Alarm:
    return Alarm(1, one.kind, one.name, one.severity, one.what, one.number, at, at)


def told(alarm: Alarm, at: datetime, before: Told = NEVER) -> Told:
    return Told(before.messages + 1, alarm.is_open, alarm.number, alarm.severity, at)


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_a_new_cause_is_told_at_once_and_then_no_more() -> None:
    alarm = begun(PACS)
    assert due(IT, alarm, NEVER, NOON) is What.RAISED
    assert due(IT, alarm, told(alarm, NOON), after(600)) is None


def test_more_of_it_is_told_together_when_the_digest_is_over() -> None:
    alarm = begun(FAILED)
    knows = told(alarm, NOON)
    more = seen(alarm, replace(FAILED, number=9), after(5))
    assert due(IT, more, knows, after(29)) is None
    assert due(IT, more, knows, after(30)) is What.CHANGED


def test_worse_is_news_even_where_there_is_no_more_of_it() -> None:
    alarm = begun(PACS)
    worse = seen(alarm, replace(PACS, severity=Severity.CRITICAL), after(40))
    assert due(IT, worse, told(alarm, NOON), after(40)) is What.CHANGED


def test_less_is_no_news_and_more_than_that_is() -> None:
    alarm = begun(FAILED)
    knows = told(alarm, NOON)
    less = seen(alarm, replace(FAILED, number=1), after(10))
    knows = caught_up(knows, less)
    assert due(IT, less, knows, after(60)) is None
    assert due(IT, seen(less, FAILED, after(70)), knows, after(70)) is What.CHANGED


def test_whoever_was_told_hears_that_it_is_over_and_nobody_else() -> None:
    alarm = begun(PACS)
    over = ended(alarm, after(45))
    assert due(IT, over, told(alarm, NOON), after(45)) is What.RESOLVED
    assert due(IT, over, NEVER, after(45)) is None
    assert due(IT, over, told(over, after(45)), after(200)) is None


def test_a_cause_that_comes_and_goes_has_one_message_in_a_digest() -> None:
    alarm, knows, messages = begun(PACS), NEVER, 0
    for minute in range(120):
        now = after(minute)
        alarm = ended(alarm, now) if minute % 2 else seen(alarm, PACS, now)
        if due(IT, alarm, knows, now):
            messages, knows = messages + 1, told(alarm, now, knows)
    assert messages <= 120 / 30 + 1


def test_acknowledged_is_silent_until_there_is_more_of_it() -> None:
    alarm = acknowledged(begun(FAILED), "anna", after(1))
    assert due(IT, alarm, NEVER, after(40)) is None
    assert due(IT, seen(alarm, replace(FAILED, number=3), after(41)), NEVER, after(41)) is What.RAISED
    worse = seen(alarm, replace(FAILED, severity=Severity.CRITICAL), after(41))
    assert due(IT, worse, NEVER, after(41)) is What.RAISED


def test_what_ended_and_comes_again_nobody_knows_of() -> None:
    alarm = ended(acknowledged(begun(PACS), "anna", after(1)), after(2))
    again = seen(alarm, PACS, after(50))
    assert (again.first_at, again.acknowledged_at) == (after(50), None)
    assert due(IT, again, NEVER, after(50)) is What.RAISED


def test_what_a_person_paused_is_silent() -> None:
    assert due(IT, begun(replace(PACS, known=True)), NEVER, NOON) is None or not begun(PACS).known
    paused = seen(begun(PACS), replace(PACS, known=True), NOON)
    assert due(IT, paused, NEVER, NOON) is None
    assert due(IT, seen(paused, PACS, after(1)), NEVER, after(1)) is What.RAISED


def test_in_quiet_hours_only_what_is_critical_is_told_and_the_rest_when_they_end() -> None:
    sleeper = replace(IT, quiet=(Window.read("11:00-13:00"),))
    alarm = begun(PACS)
    assert due(sleeper, alarm, NEVER, NOON) is None
    assert due(sleeper, alarm, NEVER, after(60)) is What.RAISED
    assert due(sleeper, replace(alarm, severity=Severity.CRITICAL), NEVER, NOON) is What.RAISED


def test_what_lasts_is_told_again_until_somebody_knows() -> None:
    alarm = begun(PACS)
    knows = told(alarm, NOON)
    assert due(IT, alarm, knows, NOON + timedelta(hours=24)) is What.REMINDER
    assert due(replace(IT, remind=timedelta()), alarm, knows, NOON + timedelta(days=9)) is None
    assert due(IT, acknowledged(alarm, "anna", NOON), knows, NOON + timedelta(hours=24)) is None


@pytest.mark.parametrize(
    ("listener", "hears"),
    [
        (Listener("a", causes=("destination",)), True),
        (Listener("a", causes=("disk", "model")), False),
        (Listener("a", causes=()), False),
        (Listener("a", minimum=Severity.CRITICAL), False),
        (Listener("a", minimum=Severity.INFO), True),
    ],
)
def test_each_hears_of_the_causes_he_asked_for(listener: Listener, hears: bool) -> None:
    assert (due(listener, begun(PACS), NEVER, NOON) is What.RAISED) is hears


def test_a_rule_tells_whom_it_names_and_counts() -> None:
    alarm = replace(begun(Sighting(Kind.RULE, "tumour", Severity.INFO, "come and see", 1)), recipients=("neuro",))
    neuro = Listener("neuro", causes=(), minimum=Severity.CRITICAL)
    assert due(neuro, alarm, NEVER, NOON) is What.RULE
    assert due(IT, alarm, NEVER, NOON) is None
    knows = told(alarm, NOON)
    assert due(neuro, alarm, knows, after(60)) is None
    assert due(neuro, replace(alarm, number=5), knows, after(60)) is What.RULE
    assert due(neuro, ended(alarm, after(90)), knows, after(90)) is None


SIGHTINGS = st.one_of(
    st.none(),
    st.builds(
        Sighting,
        st.just(Kind.FAILED),
        st.just(""),
        st.sampled_from(Severity),
        st.just("some"),
        st.integers(1, 4),
        st.booleans(),
    ),
)


@given(st.lists(st.tuples(SIGHTINGS, st.integers(1, 50), st.booleans()), max_size=40))
def test_whatever_happens_nobody_believes_what_is_long_not_so_and_no_digest_has_two(
    steps: list[tuple[Sighting | None, int, bool]],
) -> None:
    alarm, knows, now, last = ended(begun(FAILED), NOON), NEVER, NOON, None
    for sighting, minutes, acks in steps:
        now += timedelta(minutes=minutes)
        if sighting:
            alarm = seen(alarm, sighting, now)
        elif alarm.is_open:
            alarm = ended(alarm, now)
        if acks:
            alarm = acknowledged(alarm, "anna", now)
        knows = caught_up(knows, alarm)
        what = due(IT, alarm, knows, now)
        if what:
            assert last is None or now - last >= IT.digest
            assert not (what is What.RESOLVED and alarm.is_open)
            assert not (alarm.is_open and alarm.is_silent)
            last, knows = now, told(alarm, now, knows)
    if alarm.is_open:
        alarm = ended(alarm, now)
    later = now + timedelta(hours=1)
    assert (due(IT, alarm, knows, later) is What.RESOLVED) is knows.is_open
