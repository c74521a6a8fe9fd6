"""What may be removed: only what is settled, the oldest first, and whatever the disk says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.retention import AT_LEAST, Room, Stored, is_settled, least_age, to_remove
from node.core.states import JobState, SeriesState

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
_J, _S = JobState, SeriesState
_UNSETTLED = frozenset(_J) - {_J.COMPLETED, _J.SUPERSEDED, _J.DISMISSED}


def stored(
    uid: str = "1",
    days: float = 99,
    *jobs: JobState,
    state: SeriesState = _S.ROUTED,
    size: int = 10,
    promised: bool = False,
) -> Stored:
    return Stored(uid, state, jobs or (_J.COMPLETED,), NOON - timedelta(days=days), size, promised)


def removed(*there: Stored, keep: float | None = 14, missing: int = 0) -> list[str]:
    room = Room(None if keep is None else timedelta(days=keep), missing)
    return [one.series_instance_uid for one in to_remove(there, room, NOON)]


@pytest.mark.parametrize(
    ("one", "settled"),
    [
        (stored(), True),
        (stored("1", 99, _J.SUPERSEDED, _J.COMPLETED), True),
        (stored("1", 99, _J.SUPERSEDED), False),
        (stored("1", 99, _J.COMPLETED, _J.FAILED), False),
        (stored("1", 99, _J.COMPLETED, _J.SCHEDULED), False),
        (stored("1", 99, _J.COMPLETED, _J.CANCELED), False),
        (stored("1", 99, _J.NOT_PROCESSABLE), False),
        (stored("1", 99, _J.DISMISSED), True),
        (stored("1", 99, _J.DISMISSED, _J.FAILED), False),
        (stored("1", 99, _J.FAILED, state=_S.DISMISSED), False),
        (Stored("1", _S.DISMISSED, (), NOON, 10), True),
        (Stored("1", _S.ROUTED, (), NOON, 10), False),
        (Stored("1", _S.FILTERED, (), NOON, 10), True),
        (stored(state=_S.HELD), False),
        (stored(state=_S.WAITING), False),
        (stored(promised=True), False),
    ],
)
def test_settled_is_what_was_delivered_ignored_or_dismissed_and_nothing_else(one: Stored, settled: bool) -> None:
    assert is_settled(one) is settled


def test_what_was_kept_for_long_enough_goes() -> None:
    assert removed(stored("old", 14.1), stored("young", 13.9)) == ["old"]
    assert removed(stored("old", 14.1), keep=None) == []


def test_below_the_watermark_the_oldest_go_first_and_no_more_than_is_missing() -> None:
    there = [stored("b", 2), stored("c", 1), stored("a", 3)]
    assert removed(*there, missing=11) == ["a", "b"]
    assert removed(*there, missing=0) == []
    assert removed(*there, missing=10**9) == ["a", "b", "c"]


def test_what_was_settled_just_now_stays_even_then() -> None:
    just_now = AT_LEAST / timedelta(days=1)
    assert removed(stored("now", just_now * 0.99), missing=10**9) == []
    assert removed(stored("before", just_now * 1.01), missing=10**9) == ["before"]


_SERIES = st.builds(
    Stored,
    st.integers(0, 50).map(str),
    st.sampled_from(SeriesState),
    st.lists(st.sampled_from(JobState), max_size=4).map(tuple),
    st.integers(0, 60 * 24 * 30).map(lambda minutes: NOON - timedelta(minutes=minutes)),
    st.integers(0, 100),
    st.booleans(),
)
_ROOM = st.builds(Room, st.none() | st.integers(0, 30).map(lambda days: timedelta(days=days)), st.integers(0, 500))


@given(st.lists(_SERIES, max_size=12), _ROOM)
def test_nothing_unsettled_is_ever_removed_and_nothing_older_is_left_for_something_younger(
    there: list[Stored], room: Room
) -> None:
    chosen = to_remove(there, room, NOON)
    for one in chosen:
        assert not one.promised
        assert one.state in (_S.ROUTED, _S.FILTERED, _S.DISMISSED)
        assert not _UNSETTLED.intersection(one.jobs)
        assert {_J.COMPLETED, _J.DISMISSED}.intersection(one.jobs) or one.state is not _S.ROUTED
    left = [one for one in there if is_settled(one) and one not in chosen]
    if chosen and left:
        assert max(one.since for one in chosen) <= min(one.since for one in left)


@given(st.lists(_SERIES, max_size=12), _ROOM)
def test_nothing_goes_that_is_younger_than_what_is_asked_for(there: list[Stored], room: Room) -> None:
    least, chosen = least_age(room), to_remove(there, room, NOON)
    assert not chosen or least is not None
    assert all(NOON - one.since >= (least or AT_LEAST) for one in chosen)


@given(st.lists(_SERIES, max_size=12), st.integers(0, 500))
def test_no_more_goes_than_is_missing(there: list[Stored], missing: int) -> None:
    chosen = to_remove(there, Room(None, missing), NOON)
    assert sum(one.size for one in chosen[:-1]) < max(missing, 1)
