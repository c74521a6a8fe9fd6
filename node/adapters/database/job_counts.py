"""How many jobs there are in which state. What is not settled is counted in indexes, however much is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
    oldest_of_each: Mapping[Lane, datetime]  # when the oldest scheduled one of each lane was created
    overdue: int  # open ones whose deadline has passed

    @property
    def oldest(self) -> datetime | None:
        """When the oldest scheduled one was created."""
        return min(self.oldest_of_each.values(), default=None)


def unsettled(database: Database) -> Unsettled:
    """Count what is not settled: one pass over its part of an index."""
    kinds = (job.c.state, job.c.lane, job.c.rank)  # by lane too: so the rows of the index are counted as they come
    wanted = select(*kinds, func.count().label("number"), func.min(job.c.id).label("first"))
    found: Counter[tuple[str, str]] = Counter()
    firsts: dict[str, int] = {}
    with database.reading() as connection:
        for row in connection.execute(wanted.where(job.c.state.in_(UNSETTLED)).group_by(*kinds)):
            found[str(row.state), priority_of(row.rank)] += int(row.number)
            if row.state == JobState.SCHEDULED:
                firsts[row.lane] = min(row.first, firsts.get(row.lane, row.first))
        made = select(job.c.lane, job.c.created_at).where(job.c.id.in_([*firsts.values()]))
        oldest = {Lane.read(row.lane): row.created_at for row in connection.execute(made)}
        return Unsettled(found, oldest, _late(connection, job.c.state.in_(OPEN_JOBS)))


def settled(database: Database) -> Counts:
    """Count what is settled: all jobs that ever were, so not often."""
    kinds = (job.c.state, job.c.lane, job.c.rank)
    wanted = select(*kinds, func.count()).where(job.c.state.in_(SETTLED)).group_by(*kinds)
    found: Counter[tuple[str, str]] = Counter()
    with database.reading() as connection:
        for state, _, rank, number in connection.execute(wanted):
            found[str(state), priority_of(rank)] += int(number)
    return found


def missed_deadlines(database: Database) -> int:
    """How many jobs were late, those too that are settled: not often, either."""
    with database.reading() as connection:
        return _late(connection, job.c.state.in_([*JobState]))


def _late(connection: Connection, such: ColumnElement[bool]) -> int:
    late = such & (job.c.overdue == 1) & job.c.deadline_at.is_not(None)
    return connection.scalar(select(func.count()).select_from(job).where(late)) or 0
