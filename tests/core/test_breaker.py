"""When a destination is left alone, when it is tried again, and what people are told; and maintenance windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.breaker import CLOSED, OPENS_AFTER, Breaker, Failure, Turn, after, probing, sentence, turn
from node.core.windows import Window, closed_until

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
QUICK = Failure("pacs cannot be reached", timedelta(seconds=0.1))
SLOW = Failure("pacs does not answer in time", timedelta(seconds=60))


def test_quick_failures_open_it_when_they_come_in_a_row() -> None:
    breaker = CLOSED
    for _ in range(OPENS_AFTER - 1):
        breaker = after(breaker, QUICK, NOON, 0)
        assert turn(breaker, NOON) is Turn.GO
    breaker = after(breaker, QUICK, NOON, 0)
    assert turn(breaker, NOON) is Turn.WAIT
    assert breaker.since == NOON


def test_one_that_hangs_is_left_alone_at_once() -> None:
    assert turn(after(CLOSED, SLOW, NOON, 0), NOON) is Turn.WAIT


def test_once_the_time_has_come_one_may_probe_and_the_others_wait() -> None:
    opened = after(CLOSED, SLOW, NOON, 1)
    later = NOON + timedelta(seconds=5)
    assert turn(opened, later) is Turn.PROBE
    assert turn(probing(opened, later), later) is Turn.WAIT
    assert turn(probing(opened, later), later + timedelta(minutes=4)) is Turn.PROBE


def test_a_failed_probe_opens_it_for_longer_and_keeps_since_when() -> None:
    opened = after(CLOSED, SLOW, NOON, 1)
    later = NOON + timedelta(seconds=5)
    again = after(probing(opened, later), QUICK, later, 1)
    assert again.since == NOON
    assert again.next_try_at == later + timedelta(seconds=10)


def test_what_it_asks_for_itself_counts_within_reason() -> None:
    def wait(seconds: float) -> timedelta:
        asked = Failure("503", timedelta(0), timedelta(seconds=seconds))
        opened = after(CLOSED, asked, NOON, 0)
        assert opened.next_try_at is not None
        return opened.next_try_at - NOON

    assert wait(120) == timedelta(seconds=120)
    assert wait(10**6) == timedelta(hours=1)
    assert wait(0.1) == timedelta(seconds=4)


@given(failures=st.integers(0, 10_000), jitter=st.floats(0, 1))
def test_no_wait_is_longer_than_a_quarter_of_an_hour_however_long_it_is_down(failures: int, jitter: float) -> None:
    opened = after(Breaker(failures, NOON, NOON, "down"), QUICK, NOON, jitter)
    assert opened.next_try_at is not None
    assert timedelta(seconds=4) <= opened.next_try_at - NOON <= timedelta(minutes=15)


def test_people_are_told_since_when_how_many_and_until_when() -> None:
    zone = timezone(timedelta(hours=2))
    breaker = Breaker(
        4, NOON + timedelta(minutes=2), NOON + timedelta(minutes=7), "PACS2@10.0.0.2:104 cannot be reached"
    )
    assert sentence("PACS2", breaker, 312, NOON.astimezone(zone)) == (
        "waiting for PACS2 since 14:02 UTC+02:00, 312 queued, next try 14:07 UTC+02:00 "
        "(PACS2@10.0.0.2:104 cannot be reached)"
    )
    next_day = NOON + timedelta(days=1)
    assert "since 2026-01-05 12:02 UTC, 312 queued, next try now (" in sentence("PACS2", breaker, 312, next_day)
    day_before = NOON - timedelta(days=1)
    assert "next try 2026-01-05 12:07 UTC" in sentence("PACS2", breaker, 312, day_before)


@pytest.mark.parametrize(
    ("window", "at", "until"),
    [
        ("22:00-04:00", "21:59", None),
        ("22:00-04:00", "22:00", "06 04:00"),
        ("22:00-04:00", "03:59", "05 04:00"),
        ("22:00-04:00", "04:00", None),
        ("12:00-13:30", "12:30", "05 13:30"),
        ("12:00-13:30", "13:30", None),
        ("00:00-00:00", "15:00", "06 00:00"),
    ],
)
def test_a_window_is_closed_until_its_end(window: str, at: str, until: str | None) -> None:
    now = datetime.fromisoformat(f"2026-01-05T{at}+00:00")
    end = closed_until([Window.read(window)], now)
    assert (f"{end:%d %H:%M}" if end else None) == until


def test_overlapping_windows_end_with_the_last() -> None:
    windows = [Window.read("11:00-13:00"), Window.read("12:00-14:00")]
    assert closed_until(windows, NOON) == NOON + timedelta(hours=2)
    assert closed_until([], NOON) is None
