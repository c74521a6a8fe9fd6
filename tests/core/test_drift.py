"""Whether what comes is still what a model's reference was made of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from node.core.drift import HIGH, Judged, days, drift

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def judged(*percentiles: float, apart: timedelta = timedelta(hours=1)) -> list[Judged]:
    return [Judged(number, NOON + number * apart, each) for number, each in enumerate(percentiles)]


def test_days_tell_how_many_their_middle_and_their_most_unusual() -> None:
    first, second = days(judged(10.0, 99.0, 50.0, apart=timedelta(hours=8)))
    assert (first.day, first.jobs, first.median, first.highest, first.above) == (date(2026, 1, 5), 2, 54.5, 99.0, 1)
    assert (second.day, second.jobs, second.above) == (date(2026, 1, 6), 1, 0)


def test_many_unusual_series_are_a_drift_and_few_jobs_say_nothing() -> None:
    assert drift(judged(*[99.0] * 10)).drifts is False
    assert drift(judged(*[99.0] * 20)).drifts is True
    assert drift(judged(*[99.0], *[50.0] * 19)).drifts is False


def test_only_the_newest_count() -> None:
    assert drift(judged(*[99.0] * 100, *[50.0] * 50)).drifts is False
    assert drift(judged(*[50.0] * 100, *[99.0] * 50)).above == 50


@given(st.lists(st.floats(0, 100), max_size=120))
def test_no_job_is_lost_on_the_way_to_days(percentiles: list[float]) -> None:
    told = days(judged(*percentiles))
    assert sum(one.jobs for one in told) == len(percentiles)
    assert sum(one.above for one in told) == sum(each > HIGH for each in percentiles)
