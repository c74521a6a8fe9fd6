"""What may be removed to make room: only bytes of what is settled, the oldest first.

A series is settled when nothing is left to do for it: its results were delivered, a rule ignores it on purpose, or a
person dismissed what was left.
What waits, is held or failed stays, however old it is and however full the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from node.core.states import JobState, SeriesState

DONE_JOBS = frozenset({JobState.COMPLETED, JobState.SUPERSEDED, JobState.DISMISSED})
_SETTLES = frozenset({JobState.COMPLETED, JobState.DISMISSED})
AT_LEAST = timedelta(hours=1)  # a late instance may still come; only a full disk is in such a hurry


@dataclass(frozen=True)
class Stored:
    """A series whose bytes are there."""

    series_instance_uid: str
    state: SeriesState
    jobs: tuple[JobState, ...]  # on every version of it
    since: datetime  # the last that happened: an instance, its completion, the end of a job
    size: int  # bytes of its instances
    promised: bool = False  # by storage commitment: its sender may have no copy any more


@dataclass(frozen=True)
class Room:
    """How long bytes are kept, and how many are missing now."""

    keep: timedelta | None  # None: as long as there is room
    missing: int = 0  # bytes that are wanted free and are not


def is_settled(one: Stored) -> bool:
    """Whether nothing is left to do for it, and nobody relies on this node to have it."""
    if one.promised:
        return False
    if one.state in (SeriesState.FILTERED, SeriesState.DISMISSED):
        return DONE_JOBS.issuperset(one.jobs)
    return one.state is SeriesState.ROUTED and not _SETTLES.isdisjoint(one.jobs) and DONE_JOBS.issuperset(one.jobs)


def least_age(room: Room) -> timedelta | None:
    """How long ago a series was settled at least, whose bytes may go now. None: none may."""
    ages = [] if room.keep is None else [room.keep]
    return min([*ages, AT_LEAST] if room.missing else ages, default=None)


def to_remove(stored: Iterable[Stored], room: Room, now: datetime) -> Sequence[Stored]:
    """The series whose bytes may go now, the longest settled first: those kept for long enough, and as many more as
    are missing."""
    settled = sorted((one for one in stored if is_settled(one)), key=lambda one: (one.since, one.series_instance_uid))
    chosen: list[Stored] = []
    freed = 0
    for one in settled:
        if _is_old(one, room, now) or (freed < room.missing and now - one.since > AT_LEAST):
            chosen.append(one)
            freed += one.size
    return chosen


def _is_old(one: Stored, room: Room, now: datetime) -> bool:
    return room.keep is not None and now - one.since > room.keep
