"""How much waits, for what, and since when. Counted in indexes, however many jobs there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from node.adapters.database.engine import Database
from node.adapters.database.tables import job
from node.core.jobs import Lane, priority_of
from node.core.states import OPEN_JOBS, JobState


@dataclass(frozen=True)
class Backlog:
    """The jobs of this moment."""

    jobs: Mapping[tuple[str, str], int]  # state, priority → number
    oldest: Mapping[str, datetime]  # model → when the oldest job was created that waits for it
    overdue: int  # open jobs whose deadline has passed
    overdue_ever: int  # and those that are finished by now


def backlog(database: Database) -> Backlog:
    """Count."""
    with database.reading() as connection:
        return Backlog(_jobs(connection), _oldest(connection), *_overdue(connection))


def _jobs(connection: Connection) -> dict[tuple[str, str], int]:
    counted = connection.execute(select(job.c.state, job.c.rank, func.count()).group_by(job.c.state, job.c.rank))
    return {(str(state), priority_of(rank)): int(number) for state, rank, number in counted}


def _oldest(connection: Connection) -> dict[str, datetime]:
    firsts = select(func.min(job.c.id)).where(job.c.state == JobState.SCHEDULED).group_by(job.c.lane)
    rows = connection.execute(select(job.c.lane, job.c.created_at).where(job.c.id.in_(firsts)))
    return {lane.model: row.created_at for row in rows if (lane := Lane.read(row.lane)).model}


def _overdue(connection: Connection) -> tuple[int, int]:
    counted = connection.execute(
        select(job.c.state, func.count())
        .where(job.c.overdue == 1, job.c.deadline_at.is_not(None))
        .group_by(job.c.state)
    ).all()
    return sum(number for state, number in counted if state in OPEN_JOBS), sum(number for _, number in counted)
