"""When a job is tried again."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from node.core.jobs import wait_before

attempts = st.integers(0, 10_000)
jitter = st.floats(0, 1)


@given(attempts, jitter)
def test_the_wait_is_never_nothing_and_never_longer_than_twenty_minutes(number: int, spread: float) -> None:
    assert timedelta(seconds=1) < wait_before(number, spread) <= timedelta(minutes=20)


@given(st.integers(0, 100), jitter)
def test_the_wait_never_gets_shorter(number: int, spread: float) -> None:
    assert wait_before(number, spread) <= wait_before(number + 1, spread)


def test_the_first_waits_double_from_two_seconds() -> None:
    assert [wait_before(number, 0.5).total_seconds() for number in range(4)] == [2, 4, 8, 16]


@given(attempts)
def test_the_jitter_spreads_the_wait(number: int) -> None:
    assert wait_before(number, 0.0) < wait_before(number, 1.0)


def test_where_somebody_knows_when_to_try_again_that_is_kept_to() -> None:
    assert wait_before(9, 1.0, 30.0) == timedelta(seconds=30)
    assert wait_before(9, 1.0, -1.0) == timedelta(0)
