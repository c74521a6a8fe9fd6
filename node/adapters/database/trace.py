"""Where is accession X? What happened to it, from the first byte to the last delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from node.adapters.database import routing
from node.adapters.database.conclusions import oddity_in
from node.adapters.database.engine import Database
from node.adapters.database.ledger import folded
from node.adapters.database.tables import change, decision, delivery, job, receipt, result, series
from node.core.ood import Oddity


@dataclass(frozen=True)
class Event:
    """One line of a series' history."""

    at: datetime
    what: str
    why: str


@dataclass(frozen=True)
class JobLine:
    """A job and what became of its results."""

    id: int
    version: int
    rule: str
    model: str
    model_version: str
    volume: str
    state: str
    stage: str | None
    reason: str
    seconds: Mapping[str, float]
    segments: Sequence[Mapping[str, object]]
    results: tuple[tuple[str, str], ...]  # kind, path relative to the results folder
    deliveries: tuple[tuple[str, str, str, str], ...]  # kind, destination, state, answer
    inputs: tuple[tuple[str, str], ...] = ()  # need, SeriesInstanceUID: of a rule that needs several series
    likeness: Oddity | None = None  # how unlike the usual series; None: not judged


@dataclass(frozen=True)
class SeriesLine:
    """A series, its history and its jobs."""

    series_instance_uid: str
    study_instance_uid: str
    state: str
    reason: str
    evidence: str
    version: int
    calling_ae: str
    series_description: str
    patient_name: str
    patient_id: str
    accession_number: str
    first_at: datetime
    last_at: datetime
    completed_at: datetime | None
    received: Mapping[str, int]  # disposition → receipts
    rule: str  # that settled the present version; "": none did, or it is not settled
    rules: Sequence[Mapping[str, object]]  # what each rule said of the present version
    history: tuple[Event, ...]
    jobs: tuple[JobLine, ...]
    tags: tuple[str, ...] = ()  # of the present version
    notices: tuple[tuple[str, tuple[str, ...], str], ...] = ()  # rule, who is told, what


def find(database: Database, text: str, limit: int = 50) -> list[SeriesLine]:
    """Series whose accession number, patient ID or a UID is `text`, or whose patient's name contains it."""
    wanted = text.strip()
    if not wanted:
        return []
    with database.reading() as connection:
        uids = connection.scalars(
            select(series.c.series_instance_uid)
            .where(
                or_(
                    series.c.accession_number == wanted,
                    series.c.patient_id == wanted,
                    series.c.series_instance_uid == wanted,
                    series.c.study_instance_uid == wanted,
                    series.c.search_name.contains(folded(wanted), autoescape=True),
                    series.c.series_instance_uid.in_(
                        select(receipt.c.series_instance_uid).where(receipt.c.sop_instance_uid == wanted)
                    ),
                )
            )
            .order_by(series.c.first_at.desc())
            .limit(limit)
        ).all()
        return [_line(connection, uid) for uid in uids]


def line(database: Database, series_instance_uid: str) -> SeriesLine | None:
    """One series by its UID."""
    with database.reading() as connection:
        there = connection.scalar(
            select(func.count()).select_from(series).where(series.c.series_instance_uid == series_instance_uid)
        )
        return _line(connection, series_instance_uid) if there else None


def recent_jobs(database: Database, state: str | None, limit: int) -> list[tuple[JobLine, str]]:
    """(job, Series Instance UID), newest first."""
    wanted = select(job.c.id, job.c.series_instance_uid).order_by(job.c.id.desc()).limit(limit)
    if state:
        wanted = wanted.where(job.c.state == state)
    with database.reading() as connection:
        rows = connection.execute(wanted).all()
        return [(_job(connection, row.id), row.series_instance_uid) for row in rows]


def _line(connection: Connection, uid: str) -> SeriesLine:
    row = connection.execute(select(series).where(series.c.series_instance_uid == uid)).one()
    counts = connection.execute(
        select(receipt.c.disposition, func.count())
        .where(receipt.c.series_instance_uid == uid)
        .group_by(receipt.c.disposition)
    )
    settled = connection.execute(
        select(decision.c.rule, decision.c.outcomes).where(
            decision.c.series_instance_uid == uid, decision.c.version == row.version
        )
    ).first()
    ids = connection.scalars(select(job.c.id).where(job.c.series_instance_uid == uid).order_by(job.c.id)).all()
    return SeriesLine(
        series_instance_uid=uid,
        study_instance_uid=row.study_instance_uid,
        state=row.state,
        reason=row.reason,
        evidence=row.evidence,
        version=row.version,
        calling_ae=row.calling_ae,
        series_description=row.series_description,
        patient_name=row.patient_name,
        patient_id=row.patient_id,
        accession_number=row.accession_number,
        first_at=row.first_at,
        last_at=row.last_at,
        completed_at=row.completed_at,
        received={str(name): int(number) for name, number in counts},
        rule=settled.rule if settled else "",
        rules=settled.outcomes if settled else [],
        history=_history(connection, uid),
        jobs=tuple(_job(connection, one) for one in ids),
        tags=routing.tags_of(connection, uid, row.version),
        notices=tuple((one.rule, one.recipients, one.text) for one in routing.notices_of(connection, uid, row.version)),
    )


def _history(connection: Connection, uid: str) -> tuple[Event, ...]:
    rows = connection.execute(select(change).where(change.c.series_instance_uid == uid).order_by(change.c.id))
    events = []
    for row in rows:
        who = f"job {row.job_id}" if row.job_id else "series"
        stage = f" ({row.stage})" if row.stage else ""
        events.append(Event(row.at, f"{who} {row.state}{stage}", row.reason))
    return tuple(events)


def _job(connection: Connection, job_id: int) -> JobLine:
    row = connection.execute(select(job).where(job.c.id == job_id)).one()
    made = connection.execute(
        select(result.c.kind, result.c.path).where(result.c.job_id == job_id).order_by(result.c.id)
    ).all()
    sent = connection.execute(
        select(result.c.kind, delivery.c.destination, delivery.c.state, delivery.c.answer)
        .join(result, delivery.c.result_id == result.c.id)
        .where(result.c.job_id == job_id)
        .order_by(delivery.c.destination, result.c.id)
    ).all()
    return JobLine(
        id=row.id,
        version=row.version,
        rule=row.rule,
        model=row.model,
        model_version=row.model_version,
        volume=row.volume,
        state=row.state,
        stage=row.stage,
        reason=row.reason,
        seconds=row.seconds,
        segments=row.segments,
        results=tuple((one.kind, one.path) for one in made),
        deliveries=tuple((one.kind, one.destination, one.state, one.answer) for one in sent),
        inputs=routing.inputs_of(connection, job_id),
        likeness=oddity_in(connection, job_id),
    )
