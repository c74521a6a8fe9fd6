"""Bytes that are removed while their rows stay: what is settled, and files that no row names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, exists, func, insert, literal_column, select, update

from node.adapters.database import removals
from node.adapters.database.engine import Database
from node.adapters.database.removals import RETENTION
from node.adapters.database.routing_tables import job_series
from node.adapters.database.tables import change, instance, job, receipt, result, series
from node.core.ledger import Disposition
from node.core.retention import DONE_JOBS, Stored, is_settled
from node.core.states import OPEN_JOBS, JobState, SeriesState

_MAY_BE_SETTLED = (SeriesState.ROUTED, SeriesState.FILTERED, SeriesState.DISMISSED)


def oldest(database: Database, most: int, before: datetime | None = None) -> list[Stored]:
    """Series that may be settled and whose bytes are there, to which nothing happened after a moment, the longest
    complete first: however many came again lately, or were worked on once more, they do not stand before others."""
    works: ColumnElement[bool] = job.c.state.not_in(DONE_JOBS)
    if before is not None:
        works |= job.c.finished_at > before
    unsettled = exists(select(job.c.id).where(job.c.series_instance_uid == series.c.series_instance_uid, works))
    needed = exists(
        select(job_series.c.job_id)
        .join(job, job.c.id == job_series.c.job_id)
        .where(job_series.c.series_instance_uid == series.c.series_instance_uid, works)
    )
    # As the index of them has it: a value beside the statement would not be seen to be it.
    may_go = (series.c.removed_at.is_(None), series.c.promised == literal_column("0"), ~unsettled, ~needed)
    wanted = select(series).where(*may_go).order_by(series.c.completed_at).limit(most)
    if before is not None:
        wanted = wanted.where(series.c.completed_at <= before, series.c.last_at <= before)
    with database.reading() as connection:
        found = [row for state in _MAY_BE_SETTLED for row in connection.execute(wanted.where(series.c.state == state))]
        found.sort(key=lambda row: row.completed_at or row.last_at)
        return stored(connection, found[:most])


def remove(database: Database, one: Stored, reason: str, now: datetime) -> tuple[list[str], list[str]] | None:
    """Note that the bytes of a series are gone, and say which files may go now: instances, results.

    None when something happened to it meanwhile: nothing was written, and every file stays.
    """
    mine = series.c.series_instance_uid == one.series_instance_uid
    with database.transaction() as connection:
        row = connection.execute(select(series).where(mine).with_for_update()).first()
        hold_jobs(connection, [one.series_instance_uid])
        if row is None or row.removed_at is not None or not is_settled(*stored(connection, [row])):
            return None
        connection.execute(update(series).where(mine).values(removed_at=now))
        instances = _remove(connection, instance, instance.c.series_instance_uid == one.series_instance_uid, now)
        jobs = select(job.c.id).where(job.c.series_instance_uid == one.series_instance_uid)
        results = _remove(connection, result, result.c.job_id.in_(jobs), now)
        removals.note(connection, now, RETENTION, [(one.series_instance_uid, "")])
        said = {"at": now, "actor": RETENTION, "series_instance_uid": one.series_instance_uid}
        connection.execute(insert(change), {**said, "state": row.state, "reason": reason})
        return instances, results


def named(database: Database, paths: Sequence[str]) -> set[str]:
    """Those of these instance files that a row counts on: in use, kept beside what came first, or refused."""
    in_use = select(instance.c.path).where(instance.c.path.in_(paths), instance.c.removed_at.is_(None))
    aside = [
        select(receipt.c.path).where(receipt.c.path.in_(paths), receipt.c.disposition == disposition)
        for disposition in (Disposition.CONFLICT, Disposition.REFUSED)
    ]
    with database.reading() as connection:
        return {path for wanted in (in_use, *aside) for path in connection.scalars(wanted)}


def named_results(database: Database, paths: Sequence[str]) -> set[str]:
    """Those of these result files that a row counts on."""
    in_use = select(result.c.path).where(result.c.path.in_(paths), result.c.removed_at.is_(None))
    with database.reading() as connection:
        return set(connection.scalars(in_use))


def open_jobs(database: Database, ids: Collection[int]) -> set[int]:
    """Those of these jobs that may still write files."""
    with database.reading() as connection:
        return set(connection.scalars(select(job.c.id).where(job.c.id.in_(ids), job.c.state.in_(OPEN_JOBS))))


def _remove(connection: Connection, table: Table, of: ColumnElement[bool], now: datetime) -> list[str]:
    there = of & table.c.removed_at.is_(None)
    paths = list(connection.scalars(select(table.c.path).where(there)))
    connection.execute(update(table).where(there).values(removed_at=now))
    return paths


def hold_jobs(connection: Connection, series_instance_uids: Collection[str]) -> None:
    """Whoever has results of them sent once more at this moment comes first, or finds that they are gone."""
    own = select(job.c.id).where(job.c.series_instance_uid.in_(series_instance_uids))
    connection.execute(own.order_by(job.c.id.desc()).with_for_update()).all()


def stored(connection: Connection, found: Sequence[Row[Any]]) -> list[Stored]:
    """Rows of series with what is known of their jobs and bytes."""
    uids = [row.series_instance_uid for row in found]
    jobs: dict[str, list[Any]] = {uid: [] for uid in uids}
    of_jobs = select(job.c.series_instance_uid, job.c.state, job.c.finished_at)
    for one in connection.execute(of_jobs.where(job.c.series_instance_uid.in_(uids))):
        jobs[one.series_instance_uid].append(one)
    # Jobs that other series carry, and that read this one
    others = (
        select(job_series.c.series_instance_uid, job.c.state, job.c.finished_at)
        .join(job, job.c.id == job_series.c.job_id)
        .where(
            job_series.c.series_instance_uid.in_(uids), job.c.series_instance_uid != job_series.c.series_instance_uid
        )
    )
    for one in connection.execute(others):
        jobs[one.series_instance_uid].append(one)
    each = instance.c.series_instance_uid
    there = each.in_(uids), instance.c.removed_at.is_(None)
    summed = select(each, func.sum(instance.c.size)).where(*there).group_by(each)
    sizes = {uid: int(size) for uid, size in connection.execute(summed)}
    return [_one(row, jobs[row.series_instance_uid], sizes.get(row.series_instance_uid, 0)) for row in found]


def _one(row: Row[Any], jobs: Sequence[Any], size: int) -> Stored:
    moments = [row.last_at, row.completed_at, *(one.finished_at for one in jobs)]
    return Stored(
        series_instance_uid=row.series_instance_uid,
        state=SeriesState(row.state),
        jobs=tuple(JobState(one.state) for one in jobs),
        since=max(at for at in moments if at is not None),
        size=size,
        promised=bool(row.promised),
    )
