"""Which of the waiting jobs comes next, and which lanes are open: decisions without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from node.core.jobs import EVERY_NTH_BY_AGE, Candidate, Lane, Limits, Paused, in_turn, is_open, is_overdue, mixed, rank

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
HEAD, ONE, BOTH = Lane(model="head"), Lane(destinations=("one",)), Lane(destinations=("one", "two"))


def candidate(number: int, priority: str, minutes: float) -> Candidate:
    return Candidate(number, rank(priority), NOON + timedelta(minutes=minutes))


@pytest.mark.parametrize("lane", [HEAD, ONE, BOTH, Lane()])
def test_a_lane_is_read_as_it_was_written(lane: Lane) -> None:
    assert Lane.read(str(lane)) == lane


def test_an_unknown_priority_is_routine() -> None:
    assert rank("whenever") == rank("routine")


def test_low_gets_its_place_however_many_stat_jobs_wait() -> None:
    waiting = [candidate(number, "stat", 1) for number in range(1, 30)] + [candidate(99, "low", 0)]
    assert [one.id for one in in_turn(waiting, by_age=False)][-1] == 99
    assert [one.id for one in mixed(waiting)].index(99) == EVERY_NTH_BY_AGE - 1
    assert sorted(one.id for one in mixed(waiting)) == sorted(one.id for one in waiting)


def test_within_a_priority_the_earliest_deadline_comes_first_and_jobs_without_one_by_age() -> None:
    late = replace(candidate(1, "routine", 0), deadline_at=NOON + timedelta(hours=2))
    soon = replace(candidate(2, "routine", 3), deadline_at=NOON + timedelta(hours=1))
    passed = replace(candidate(3, "routine", 2), deadline_at=NOON - timedelta(hours=1))
    waiting = [candidate(4, "routine", 2), late, candidate(5, "routine", -5), soon, passed, candidate(6, "stat", 9)]
    assert [one.id for one in in_turn(waiting, by_age=False)] == [6, 3, 2, 1, 5, 4]
    assert [one.id for one in in_turn(waiting, by_age=True)] == [5, 1, 3, 4, 2, 6]


def test_a_job_is_overdue_from_the_moment_after_its_deadline() -> None:
    assert [is_overdue(NOON, NOON + timedelta(seconds=late)) for late in (-1, 0, 1)] == [False, False, True]
    assert not is_overdue(None, NOON)


@pytest.mark.parametrize(
    ("lane", "running", "limits", "paused", "is_it"),
    [
        (HEAD, {HEAD: 9}, Limits(), Paused(), True),
        (HEAD, {HEAD: 1}, Limits(model=1), Paused(), False),
        (HEAD, {HEAD: 1}, Limits(model=1, models={"head": 2}), Paused(), True),
        (HEAD, {}, Limits(), Paused(models=frozenset({"head"})), False),
        (ONE, {BOTH: 1}, Limits(destination=1), Paused(), False),
        (ONE, {HEAD: 5}, Limits(destination=1), Paused(), True),
        (ONE, {}, Limits(), Paused(destinations=frozenset({"one"})), False),
        (BOTH, {}, Limits(), Paused(destinations=frozenset({"one"})), True),
        (Lane(), {}, Limits(destination=1), Paused(destinations=frozenset({"one"})), True),
    ],
)
def test_a_lane_is_open_unless_it_is_full_or_paused(
    lane: Lane, running: dict[Lane, int], limits: Limits, paused: Paused, is_it: bool
) -> None:
    assert is_open(lane, running, limits, paused) is is_it
