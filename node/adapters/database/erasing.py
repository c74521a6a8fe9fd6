"""Bytes that a person has removed while their rows stay: a study, a series or an instance, and only what is settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, exists, insert, or_, select, update

from node.adapters.database import audit
from node.adapters.database.engine import Database
from node.adapters.database.routing_tables import job_series
from node.adapters.database.tables import change, instance, job, result, series
from node.core.retention import DONE_JOBS, Stored, is_settled
from node.core.states import JobState, SeriesState

_MOST_UIDS = 500  # in one statement


@dataclass(frozen=True)
class Asked:
    """What is to go, by UIDs; "" for what is not named. And who wants it, and why."""

    study: str
    series: str
    instance: str
    actor: str
    reason: str


@dataclass(frozen=True)
class Erased:
    """Files that may go now. Nothing is to go when there is something unsettled."""

    instances: Sequence[str] = ()  # paths
    results: Sequence[str] = ()
    unsettled: Sequence[str] = ()  # Series Instance UIDs
    found: bool = True


def erase(database: Database, asked: Asked, now: datetime) -> Erased:
    """Note that the bytes are gone. When something of it is not settled nothing is noted, and it is told which."""
    with database.transaction() as connection:
        received = _received(connection, asked)
        made = _made(connection, asked)
        if not received and not made:
            return Erased(found=False)
        unsettled = _unsettled(connection, received) | {row.series_instance_uid for row in made if not _is_done(row)}
        if unsettled:
            return Erased(unsettled=sorted(unsettled))
        paths = _remove_instances(connection, received, asked, now)
        _mark(connection, result, [row.id for row in made], now)
        said = f"its bytes were removed over DICOMweb{': ' if asked.reason else ''}{asked.reason}"
        for uid, state in {(row.series_instance_uid, row.series_state) for row in made} | {
            (row.series_instance_uid, row.state) for row in received
        }:
            line = {"at": now, "actor": asked.actor, "series_instance_uid": uid, "state": state, "reason": said}
            connection.execute(insert(change), line)
        on = " ".join(part for part in ("study", asked.study, asked.series, asked.instance) if part)
        told = {"instances": len(paths), "results": len(made)}
        audit.note(connection, now, "dicomweb.delete", on, actor=asked.actor, after=told, reason=asked.reason)
        return Erased(paths, [row.path for row in made])


def _received(connection: Connection, asked: Asked) -> Sequence[Row[Any]]:
    """Series of which bytes are there that are to go."""
    wanted = select(series).where(series.c.study_instance_uid == asked.study, series.c.removed_at.is_(None))
    if asked.series:
        wanted = wanted.where(series.c.series_instance_uid == asked.series)
    there = exists().where(
        instance.c.series_instance_uid == series.c.series_instance_uid,
        instance.c.removed_at.is_(None),
        *((instance.c.sop_instance_uid == asked.instance,) if asked.instance else ()),
    )
    return connection.execute(wanted.where(there).with_for_update()).all()


def _made(connection: Connection, asked: Asked) -> Sequence[Any]:
    """Results that are to go: those named, and those of the jobs on series that are to go."""
    wanted = (
        select(result.c.id, result.c.path, job.c.state, job.c.series_instance_uid, series.c.state.label("series_state"))
        .join(job, job.c.id == result.c.job_id)
        .join(series, series.c.series_instance_uid == job.c.series_instance_uid)
        .where(series.c.study_instance_uid == asked.study, result.c.removed_at.is_(None))
    )
    if asked.instance:
        wanted = wanted.where(result.c.series_instance_uid == asked.series, result.c.sop_instance_uid == asked.instance)
    elif asked.series:
        wanted = wanted.where(
            or_(result.c.series_instance_uid == asked.series, job.c.series_instance_uid == asked.series)
        )
    # Whoever has them sent once more at this moment comes first, or finds that they are gone.
    return connection.execute(wanted.order_by(job.c.id.desc()).with_for_update(of=job)).all()


def _unsettled(connection: Connection, received: Sequence[Row[Any]]) -> set[str]:
    found: set[str] = set()
    for row in received:
        uid = row.series_instance_uid
        states = tuple(
            JobState(state) for state in connection.scalars(select(job.c.state).where(job.c.series_instance_uid == uid))
        )
        needed = (
            select(job.c.id)
            .join(job_series, job_series.c.job_id == job.c.id)
            .where(job_series.c.series_instance_uid == uid, job.c.state.not_in(DONE_JOBS))
        )
        one = Stored(uid, SeriesState(row.state), states, row.last_at, 0, promised=bool(row.promised))
        if not is_settled(one) or connection.execute(needed.limit(1)).first():
            found.add(uid)
    return found


def _is_done(result_of_job: Row[Any]) -> bool:
    """Whether a result's job is done with: the result of a series of which nothing else is to be done could go."""
    job_state = JobState(result_of_job.state)
    return is_settled(Stored("", SeriesState.FILTERED, (job_state,), datetime.min.replace(tzinfo=UTC), 0))


def _remove_instances(connection: Connection, received: Sequence[Row[Any]], asked: Asked, now: datetime) -> list[str]:
    paths: list[str] = []
    for row in received:
        there = (instance.c.series_instance_uid == row.series_instance_uid) & instance.c.removed_at.is_(None)
        mine = there & (instance.c.sop_instance_uid == asked.instance) if asked.instance else there
        paths += connection.scalars(select(instance.c.path).where(mine))
        connection.execute(update(instance).where(mine).values(removed_at=now))
        if not connection.scalar(select(exists().where(there))):
            one = series.c.series_instance_uid == row.series_instance_uid
            connection.execute(update(series).where(one).values(removed_at=now))
    return paths


def _mark(connection: Connection, table: Table, ids: Sequence[int], now: datetime) -> None:
    for at in range(0, len(ids), _MOST_UIDS):
        some = table.c.id.in_(ids[at : at + _MOST_UIDS])
        connection.execute(update(table).where(some).values(removed_at=now))
