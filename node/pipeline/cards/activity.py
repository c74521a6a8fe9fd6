"""What a model did of late."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median, quantiles

from node.adapters.database import Database, model_jobs
from node.adapters.database.model_jobs import AT_MOST, ModelJob
from node.core.drift import Day, Drift, Judged, days, drift

OVER = timedelta(days=30)
_POINTS_AT_MOST = 300  # of the chart


@dataclass(frozen=True)
class JobsOfDay:
    """The jobs that were created on one day, UTC."""

    day: date
    states: Mapping[str, int]


@dataclass(frozen=True)
class Latency:
    """Seconds of one stage."""

    stage: str
    jobs: int
    median: float
    slowest: float  # 95 of 100 are quicker


@dataclass(frozen=True)
class Version:
    """A version of the model that made results here of late."""

    version: str
    jobs: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Activity:
    """Of the last thirty days, or of the newest jobs where there were more than `looked_at`."""

    looked_at: int
    whole: bool  # whether all jobs of that time were looked at
    days: tuple[JobsOfDay, ...]
    latency: tuple[Latency, ...]
    versions: tuple[Version, ...]
    likeness: tuple[Day, ...]
    points: tuple[Judged, ...]  # the newest judged jobs, the oldest of them first
    drift: Drift


def activity(database: Database, model: str, now: datetime) -> Activity:
    """Raises StoreUnavailable."""
    jobs = model_jobs.newest(database, model, now - OVER)
    judged = [
        Judged(one.id, one.created_at, one.percentile, one.calibration) for one in jobs if one.percentile is not None
    ]
    return Activity(
        looked_at=len(jobs),
        whole=len(jobs) < AT_MOST,
        days=tuple(_days(jobs)),
        latency=tuple(_latency(jobs)),
        versions=tuple(_versions(jobs)),
        likeness=tuple(days(judged)),
        points=tuple(judged[:_POINTS_AT_MOST][::-1]),
        drift=drift(judged),
    )


def _days(jobs: Sequence[ModelJob]) -> list[JobsOfDay]:
    counted: dict[date, Counter[str]] = defaultdict(Counter)
    for one in jobs:
        counted[one.created_at.date()][one.state] += 1
    return [JobsOfDay(day, dict(states)) for day, states in sorted(counted.items())]


def _latency(jobs: Sequence[ModelJob]) -> list[Latency]:
    stages: dict[str, list[float]] = defaultdict(list)
    for one in jobs:
        for stage, seconds in one.seconds.items():
            stages[stage].append(float(seconds))
    return [
        Latency(stage, len(found), median(found), quantiles(found, n=20)[-1] if len(found) > 1 else found[0])
        for stage, found in stages.items()
    ]


def _versions(jobs: Sequence[ModelJob]) -> list[Version]:
    found: dict[str, list[ModelJob]] = defaultdict(list)
    for one in jobs:
        if one.model_version:
            found[one.model_version].append(one)
    return [Version(name, len(mine), mine[-1].created_at, mine[0].created_at) for name, mine in sorted(found.items())]
