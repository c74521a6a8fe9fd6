"""How many jobs there are in which state. What is not finished is counted in an index, however much is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from node.adapters.database.engine import Database
from node.adapters.database.tables import job
from node.core.states import OPEN_JOBS, JobState

UNSETTLED = (JobState.SCHEDULED, JobState.IN_PROGRESS, JobState.HELD, JobState.FAILED, JobState.NOT_PROCESSABLE)
SETTLED = (JobState.COMPLETED, JobState.CANCELED, JobState.SUPERSEDED)  # as many as there ever were


@dataclass(frozen=True)
class JobCounts:
    """The jobs of this moment that somebody or something still waits for."""

    states: Mapping[str, int]
    overdue: int  # open ones whose deadline has passed
    oldest: datetime | None  # when the oldest scheduled one was created


def unsettled(database: Database) -> JobCounts:
    """Count what is not settled."""
    first = select(func.min(job.c.id)).where(job.c.state == JobState.SCHEDULED).scalar_subquery()
    with database.reading() as connection:
        counted = connection.execute(
            select(job.c.state, func.count()).where(job.c.state.in_(UNSETTLED)).group_by(job.c.state)
        ).all()
        late = connection.scalar(
            select(func.count())
            .select_from(job)
            .where(job.c.state.in_(OPEN_JOBS), job.c.overdue == 1, job.c.deadline_at.is_not(None))
        )
        oldest = connection.scalar(select(job.c.created_at).where(job.c.id == first))
    return JobCounts({str(state): int(number) for state, number in counted}, late or 0, oldest)


def settled(database: Database) -> Mapping[str, int]:
    """Count what is settled: all jobs that ever were, so not often."""
    wanted = select(job.c.state, func.count()).where(job.c.state.in_(SETTLED)).group_by(job.c.state)
    with database.reading() as connection:
        return {str(state): int(number) for state, number in connection.execute(wanted)}
