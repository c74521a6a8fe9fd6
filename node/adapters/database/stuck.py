"""What waits for a person, by its cause: held series, and jobs that failed, are held or were not processable.

How many there are of a cause is counted up to a bound, so that a look costs the same however much is stuck.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, func, select

from node.adapters.database.engine import Database
from node.adapters.database.tables import decision, job, series
from node.core.causes import Kind, read

MOST_CAUSES = 100
COUNTED = 1000


@dataclass(frozen=True)
class Stuck:
    """A series, or a job on one, that waits for a person."""

    cause: str
    series_instance_uid: str
    study_instance_uid: str
    job: int | None  # its number; None: the series itself is held
    state: str
    reason: str
    model: str  # "" for a series
    rule: str  # that holds it, or asked for the job; "": none
    since: datetime
    modality: str
    series_description: str
    patient_name: str
    patient_id: str
    accession_number: str
    calling_ae: str
    gone: bool  # its images were removed: nothing can be made of it


@dataclass(frozen=True)
class Group:
    """All that is stuck for one cause."""

    cause: str
    kind: Kind
    number: int  # COUNTED: or more
    of_jobs: bool  # False: of series
    newest: Stuck  # an example: its reason is the group's


def groups(database: Database) -> list[Group]:
    """The causes, those of series first, the newest of each as the example."""
    with database.reading() as connection:
        found = [
            group
            for table in (series, job)
            for cause in _causes(connection, table.c.cause)
            if (group := _group(connection, cause, of_jobs=table is job)) is not None
        ]
    return sorted(found, key=lambda one: one.newest.since, reverse=True)


def of_cause(database: Database, cause: str, before: str | None, most: int) -> list[Stuck]:
    """A page of what is stuck for a cause, the newest first; `before` is `place` of the last one of the page before."""
    with database.reading() as connection:
        jobs = [_of_job(row) for row in connection.execute(_jobs(cause, before).limit(most))]
        return jobs or [_of_series(row) for row in connection.execute(_series(cause, before).limit(most))]


def place(one: Stuck) -> str:
    """Where the next page begins behind it."""
    return str(one.job) if one.job is not None else one.series_instance_uid


def numbers(database: Database, cause: str, most: int) -> tuple[list[int], list[str]]:
    """Up to so many jobs, and series, that are stuck for a cause, the oldest first."""
    with database.reading() as connection:
        jobs = connection.scalars(select(job.c.id).where(job.c.cause == cause).order_by(job.c.id).limit(most)).all()
        uids = connection.scalars(
            select(series.c.series_instance_uid).where(series.c.cause == cause).order_by(series.c.first_at).limit(most)
        ).all()
    return list(jobs), list(uids)


def series_of(database: Database, job_ids: Collection[int]) -> list[str]:
    """The series that these jobs work on."""
    wanted = select(job.c.series_instance_uid).where(job.c.id.in_(job_ids)).distinct()
    with database.reading() as connection:
        return list(connection.scalars(wanted))


def _causes(connection: Connection, column: Column[Any]) -> Sequence[str]:
    """Each step is one look into the index, however many rows have the cause."""
    found: list[str] = []
    while len(found) < MOST_CAUSES:
        following = connection.scalar(select(func.min(column)).where(column > (found[-1] if found else "")))
        if following is None:
            break
        found.append(following)
    return found


def _group(connection: Connection, cause: str, *, of_jobs: bool) -> Group | None:
    kind = read(cause)
    row = connection.execute((_jobs if of_jobs else _series)(cause, None).limit(1)).first()
    if row is None or kind is None:
        return None
    key = job.c.id if of_jobs else series.c.series_instance_uid
    some = select(key).where((job if of_jobs else series).c.cause == cause).limit(COUNTED).subquery()
    number = connection.scalar(select(func.count()).select_from(some)) or 0
    return Group(cause, kind, number, of_jobs, _of_job(row) if of_jobs else _of_series(row))


_OF_SERIES = [
    series.c[name]
    for name in (
        "study_instance_uid", "modality", "series_description", "patient_name", "patient_id", "accession_number",
        "calling_ae", "removed_at", "first_at", "completed_at",
    )
]  # fmt: skip


def _jobs(cause: str, before: str | None) -> Select[Any]:
    columns = [job.c[name] for name in ("id", "series_instance_uid", "cause", "state", "reason", "model", "rule")]
    wanted = (
        select(*columns, job.c.finished_at, *_OF_SERIES)
        .join(series, series.c.series_instance_uid == job.c.series_instance_uid)
        .where(job.c.cause == cause)
        .order_by(job.c.id.desc())
    )
    return wanted if before is None else wanted.where(job.c.id < (int(before) if before.isdecimal() else 0))


def _series(cause: str, before: str | None) -> Select[Any]:
    settled = (decision.c.series_instance_uid == series.c.series_instance_uid) & (
        decision.c.version == series.c.version
    )
    columns = [series.c[name] for name in ("series_instance_uid", "cause", "state", "reason")]
    wanted = (
        select(*columns, decision.c.rule, *_OF_SERIES)
        .outerjoin(decision, settled)
        .where(series.c.cause == cause)
        .order_by(series.c.first_at.desc(), series.c.series_instance_uid.desc())
    )
    if before is None:
        return wanted
    at = select(series.c.first_at).where(series.c.series_instance_uid == before).scalar_subquery()
    return wanted.where(series.c.first_at <= at, (series.c.first_at < at) | (series.c.series_instance_uid < before))


def _of_job(row: Row[Any]) -> Stuck:
    return _stuck(row, row.id, row.model, row.rule, row.finished_at or row.first_at)


def _of_series(row: Row[Any]) -> Stuck:
    return _stuck(row, None, "", row.rule or "", row.completed_at or row.first_at)


def _stuck(row: Row[Any], job_id: int | None, model: str, rule: str, since: datetime) -> Stuck:
    return Stuck(
        cause=row.cause,
        series_instance_uid=row.series_instance_uid,
        study_instance_uid=row.study_instance_uid,
        job=job_id,
        state=row.state,
        reason=row.reason,
        model=model,
        rule=rule,
        since=since,
        modality=row.modality,
        series_description=row.series_description,
        patient_name=row.patient_name,
        patient_id=row.patient_id,
        accession_number=row.accession_number,
        calling_ae=row.calling_ae,
        gone=row.removed_at is not None,
    )
