"""Processes that work, their signs of life, and what becomes of the jobs of one that died.

Signs of life are on the database's clock: the clocks of two machines may differ by a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from node.adapters.database.clock import seconds_of
from node.adapters.database.engine import Database
from node.adapters.database.engine_tables import process
from node.adapters.database.jobs import note_change
from node.adapters.database.notice_tables import lost_process
from node.adapters.database.tables import job
from node.core import causes
from node.core.jobs import MOST_CUT_OFF, SET_ASIDE
from node.core.states import JobState

_DIED = "the process that worked on it ended in the middle of it"
_HANDED_BACK = "handed back by a process that was told to stop"


@dataclass(frozen=True)
class Alive:
    """A process that did not end, or that ended without a word."""

    id: str
    role: str  # "": it did not say
    silent_seconds: float  # since its last sign of life


def arrive(database: Database, process_id: str, now: datetime, role: str = "") -> int:
    """A process begins to work. What it had in progress when it ended last time is taken up again: how much."""
    with database.transaction() as connection:
        _beat(connection, process_id, role)
        _take_the_place(connection, process_id, role)
        return _release(connection, job.c.owner == process_id, now)


def beat(database: Database, process_id: str, role: str = "") -> bool:
    """A sign of life. False when this process had been given up, and its jobs taken: it is enlisted again."""
    with database.transaction() as connection:
        return _beat(connection, process_id, role)


def bury(database: Database, process_id: str, silent_seconds: float, now: datetime) -> int:
    """Take up the jobs of processes that gave no sign of life for so long, and of those that nobody knows."""
    with database.transaction() as connection:
        found = connection.execute(
            select(process.c.id, process.c.role)
            .where(process.c.id != process_id, process.c.beat < seconds_of(connection) - silent_seconds)
            .with_for_update(skip_locked=True)
        ).all()
        for one in found:
            connection.execute(delete(process).where(process.c.id == one.id))
            connection.execute(delete(lost_process).where(lost_process.c.id == one.id))
            connection.execute(insert(lost_process).values(id=one.id, role=one.role, at=now))
        unknown = job.c.owner.is_(None) | job.c.owner.not_in(select(process.c.id))
        return _release(connection, unknown, now)


def leave(database: Database, process_id: str, now: datetime) -> int:
    """A process stops on purpose: what it could not finish is handed back, and is not held against the job."""
    with database.transaction() as connection:
        connection.execute(delete(process).where(process.c.id == process_id))
        mine = select(job.c.id).where(job.c.state == JobState.IN_PROGRESS, job.c.owner == process_id)
        ids = connection.scalars(mine.with_for_update()).all()
        for job_id in ids:
            _schedule(connection, job_id, _HANDED_BACK, now)
        return len(ids)


def living(database: Database) -> dict[str, float]:
    """Process → seconds since its last sign of life."""
    with database.reading() as connection:
        now = seconds_of(connection)
        return {
            row.id: float(row.silent)
            for row in connection.execute(select(process.c.id, (now - process.c.beat).label("silent")))
        }


def roster(database: Database) -> list[Alive]:
    """Every process, by role and name."""
    with database.reading() as connection:
        silent = (seconds_of(connection) - process.c.beat).label("silent")
        rows = connection.execute(select(process.c.id, process.c.role, silent).order_by(process.c.role, process.c.id))
        return [Alive(row.id, row.role, max(0.0, float(row.silent))) for row in rows]


def _beat(connection: Connection, process_id: str, role: str) -> bool:
    now = seconds_of(connection)
    mine = update(process).where(process.c.id == process_id)
    known = connection.execute(mine.values(beat=now, role=role)).rowcount
    if not known:
        connection.execute(insert(process).values(id=process_id, since=now, beat=now, role=role))
    return bool(known)


def _take_the_place(connection: Connection, process_id: str, role: str) -> None:
    """A process that begins is the lost one of its name, or stands in for the one of its role that is lost longest."""
    lost = select(lost_process.c.id).where(lost_process.c.role == role).order_by(lost_process.c.at).limit(1)
    first = connection.scalar(lost)
    connection.execute(delete(lost_process).where(lost_process.c.id.in_([process_id, *([first] if first else [])])))


def _release(connection: Connection, whose: ColumnElement[bool], now: datetime) -> int:
    """An attempt that ended with its process counts against the job: the third in a row sets it aside."""
    wanted = select(job.c.id, job.c.cut_off).where(job.c.state == JobState.IN_PROGRESS, whose)
    rows = connection.execute(wanted.with_for_update(skip_locked=True)).all()
    for row in rows:
        if row.cut_off + 1 >= MOST_CUT_OFF:
            _set_aside(connection, row.id, now)
        else:
            _schedule(connection, row.id, _DIED, now, cut_off=row.cut_off + 1)
    return len(rows)


def _schedule(connection: Connection, job_id: int, reason: str, now: datetime, **values: object) -> None:
    again = {"state": JobState.SCHEDULED, "reason": reason, "next_try_at": now, "owner": None, **values}
    connection.execute(update(job).where(job.c.id == job_id).values(**again))
    note_change(connection, job_id, "node", JobState.SCHEDULED, reason, now)


def _set_aside(connection: Connection, job_id: int, now: datetime) -> None:
    values = {"state": JobState.FAILED, "reason": SET_ASIDE, "finished_at": now, "owner": None, "cut_off": 0}
    cause = causes.key(causes.Kind.BROKEN, "", SET_ASIDE)
    connection.execute(update(job).where(job.c.id == job_id).values(**values, cause=cause))
    note_change(connection, job_id, "node", JobState.FAILED, SET_ASIDE, now)
