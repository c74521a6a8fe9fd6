"""A job: one model's work on one volume of one completed series, and when to try it again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from node.core.states import JobState, Stage


@dataclass(frozen=True)
class NewJob:
    """What the rules ask for."""

    rule: str
    rule_set_version: str
    model: str
    model_version: str  # "" for the newest
    volume: str  # "" for the only one
    destinations: tuple[str, ...]
    priority: str  # stat, routine, low


@dataclass(frozen=True)
class Job:
    """A job as it is stored."""

    id: int
    series_instance_uid: str
    version: int  # of the series that it works on
    rule: str
    rule_set_version: str
    model: str
    model_version: str
    volume: str
    destinations: tuple[str, ...]
    priority: str
    state: JobState
    stage: Stage | None
    reason: str
    attempts: int
    created_at: datetime
    supersedes: int | None  # the job of the version before, whose result this one replaces


@dataclass(frozen=True)
class Finding:
    """What the model found for one segment, for people; the SR holds the same figures coded."""

    number: int
    label: str
    volume_ml: float | None  # None where the thickness of a single slice is not known


@dataclass(frozen=True)
class MadeResult:
    """One DICOM object that a job made."""

    kind: str  # SEG, SR
    sop_class_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    path: str  # relative to the results folder
    sha256: str
    size: int


@dataclass(frozen=True)
class Delivery:
    """One result on its way to one destination."""

    id: int
    destination: str
    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    path: str
    attempts: int


_FIRST_WAIT = timedelta(seconds=2)
_LONGEST_WAIT = timedelta(minutes=15)


def wait_before(attempts: int, jitter: float) -> timedelta:
    """How long to wait before the next attempt: doubling from 2 s, at most 15 min, spread by `jitter` in 0..1."""
    wait: timedelta = min(_FIRST_WAIT * (1 << min(attempts, 16)), _LONGEST_WAIT)
    return wait * (0.75 + 0.5 * jitter)
