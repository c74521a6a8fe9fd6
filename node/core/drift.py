"""How unlike the usual ones the series of late were: the percentiles of jobs, day by day.

A series that is like the reference has any percentile with the same chance, so one in twenty lies above 95. Many more
than that say that what comes is not what the reference was made of: another scanner, protocol or population.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median

HIGH = 95.0
_MANY = 0.2  # of the newest jobs above HIGH, where one in twenty is usual
_NEWEST, _JOBS_AT_LEAST = 50, 20


@dataclass(frozen=True)
class Judged:
    """One job."""

    job_id: int
    at: datetime
    percentile: float  # 0 to 100
    calibration: str = ""  # SHA-256 of the reference


@dataclass(frozen=True)
class Day:
    """The jobs of one day, UTC."""

    day: date
    jobs: int
    median: float
    highest: float
    above: int  # of the jobs, those above HIGH


@dataclass(frozen=True)
class Drift:
    """What the newest jobs say."""

    looked_at: int
    above: int
    drifts: bool  # far more are above HIGH than should be


def days(judged: Sequence[Judged]) -> list[Day]:
    """Day by day, the oldest first."""
    by_day: dict[date, list[float]] = defaultdict(list)
    for one in judged:
        by_day[one.at.date()].append(one.percentile)
    return [
        Day(day, len(found), median(found), max(found), sum(each > HIGH for each in found))
        for day, found in sorted(by_day.items())
    ]


def drift(judged: Sequence[Judged]) -> Drift:
    """Of the newest jobs. Too few say nothing."""
    newest = sorted(judged, key=lambda one: (one.at, one.job_id))[-_NEWEST:]
    above = sum(one.percentile > HIGH for one in newest)
    return Drift(len(newest), above, len(newest) >= _JOBS_AT_LEAST and above > _MANY * len(newest))
