"""How many jobs there are in which state. What is not settled is counted in indexes, however much is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from node.adapters.database.engine import Database
from node.adapters.database.tables import job
from node.core.jobs import Lane, priority_of
from node.core.states import OPEN_JOBS, JobState

UNSETTLED = (JobState.SCHEDULED, JobState.IN_PROGRESS, JobState.HELD, JobState.FAILED, JobState.NOT_PROCESSABLE)
SETTLED = (JobState.COMPLETED, JobState.CANCELED, JobState.SUPERSEDED, JobState.DISMISSED)  # as many as there ever were

Counts = Mapping[tuple[str, str], int]  # state, priority → jobs


@dataclass(frozen=True)
class Unsettled:
    """The jobs of this moment that somebody or something still waits for."""

    jobs: Counts
    oldest: datetime | None  # when the oldest scheduled one was created
    overdue: int  # open ones whose deadline has passed


def unsettled(database: Database) -> Unsettled:
    """Count what is not settled."""
    with database.reading() as connection:
        first = select(func.min(job.c.id)).where(job.c.state == JobState.SCHEDULED).scalar_subquery()
        oldest = connection.scalar(select(job.c.created_at).where(job.c.id == first))
        return Unsettled(_counted(connection, UNSETTLED), oldest, _late(connection, job.c.state.in_(OPEN_JOBS)))


def oldest_of_each(database: Database) -> Mapping[Lane, datetime]:
    """When the oldest scheduled job of each lane was created: all that wait are looked through, in their index."""
    firsts = select(func.min(job.c.id)).where(job.c.state == JobState.SCHEDULED).group_by(job.c.lane)
    with database.reading() as connection:
        rows = connection.execute(select(job.c.lane, job.c.created_at).where(job.c.id.in_(firsts)))
        return {Lane.read(row.lane): row.created_at for row in rows}


def settled(database: Database) -> Counts:
    """Count what is settled: all jobs that ever were, so not often."""
    with database.reading() as connection:
        return _counted(connection, SETTLED)


def missed_deadlines(database: Database) -> int:
    """How many jobs were late, those too that are settled: not often, either."""
    with database.reading() as connection:
        return _late(connection, job.c.state.in_([*JobState]))


def _counted(connection: Connection, states: Collection[JobState]) -> Counts:
    """By lane too: so the rows of the index are counted as they come."""
    kinds = (job.c.state, job.c.lane, job.c.rank)
    found: Counter[tuple[str, str]] = Counter()
    rows = connection.execute(select(*kinds, func.count()).where(job.c.state.in_(states)).group_by(*kinds))
    for state, _, rank, number in rows:
        found[str(state), priority_of(rank)] += int(number)
    return found


def _late(connection: Connection, such: ColumnElement[bool]) -> int:
    late = such & (job.c.overdue == 1) & job.c.deadline_at.is_not(None)
    return connection.scalar(select(func.count()).select_from(job).where(late)) or 0
