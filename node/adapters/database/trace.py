"""Where is accession X? What happened to it, from the first byte to the last delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from node.adapters.database import finding, routing
from node.adapters.database.conclusions import oddity_in
from node.adapters.database.engine import Database
from node.adapters.database.tables import change, decision, delivery, job, receipt, result, series
from node.core.ood import Oddity


@dataclass(frozen=True)
class Event:
    """One line of a series' history."""

    at: datetime
    what: str
    why: str
    actor: str = ""
    state: str = ""
    stage: str | None = None
    job_id: int | None = None  # None: of the series


@dataclass(frozen=True)
class Association:
    """What one association or request brought of a series, by what became of it."""

    association: str
    channel: str
    calling_ae: str
    called_ae: str
    host: str
    disposition: str
    reason: str  # why it was not simply stored
    first_at: datetime
    last_at: datetime
    number: int  # of instances
    size: int  # bytes


@dataclass(frozen=True)
class Decided:
    """What the rules said of one version of a series."""

    version: int
    at: datetime
    rule_set_version: str
    rule: str  # that settled it; "": none did
    rules: Sequence[Mapping[str, object]]  # of each: rule, standing, why


@dataclass(frozen=True)
class Sent:
    """One result on its way to one destination."""

    kind: str
    destination: str
    state: str
    answer: str
    attempts: int
    at: datetime | None  # of the last attempt


@dataclass(frozen=True)
class Made:
    """One result."""

    kind: str
    series_instance_uid: str
    sop_instance_uid: str
    size: int
    removed_at: datetime | None


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
    rule_set_version: str = ""
    priority: str = ""
    destinations: tuple[str, ...] = ()
    attempts: int = 0
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    next_try_at: datetime | None = None
    deadline_at: datetime | None = None
    overdue: bool = False
    supersedes: int | None = None
    made: tuple[Made, ...] = ()
    sent: tuple[Sent, ...] = ()
    cause: str | None = None  # core.causes: why it waits for a person; None: it does not


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
    channel: str = ""
    host: str = ""
    modality: str = ""
    study_date: str = ""
    study_description: str = ""
    removed_at: datetime | None = None
    look_at: datetime | None = None  # when it is judged next; None: it does not wait
    associations: tuple[Association, ...] = ()
    decisions: tuple[Decided, ...] = ()  # the oldest version first
    cause: str | None = None  # core.causes: why it waits for a person; None: it does not


def find(database: Database, text: str, limit: int = 50) -> list[SeriesLine]:
    """Series whose accession number, patient ID or a UID is `text`, or whose patient's name has words that begin so."""
    wanted = text.strip()
    if not wanted:
        return []
    with database.reading() as connection:
        return [_line(connection, uid) for uid in finding.uids(connection, wanted, limit)]


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
    decisions = _decisions(connection, uid)
    settled = next((one for one in decisions if one.version == row.version), None)
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
        rules=settled.rules if settled else [],
        history=_history(connection, uid),
        jobs=tuple(_job(connection, one) for one in ids),
        tags=routing.tags_of(connection, uid, row.version),
        notices=tuple((one.rule, one.recipients, one.text) for one in routing.notices_of(connection, uid, row.version)),
        channel=row.channel,
        host=row.host,
        modality=row.modality,
        study_date=row.study_date,
        study_description=row.study_description,
        removed_at=row.removed_at,
        look_at=row.look_at,
        associations=_associations(connection, uid),
        decisions=decisions,
        cause=row.cause,
    )


def _decisions(connection: Connection, uid: str) -> tuple[Decided, ...]:
    rows = connection.execute(
        select(decision).where(decision.c.series_instance_uid == uid).order_by(decision.c.version)
    )
    return tuple(Decided(row.version, row.at, row.rule_set_version, row.rule, row.outcomes) for row in rows)


def _associations(connection: Connection, uid: str, most: int = 200) -> tuple[Association, ...]:
    same = [receipt.c[name] for name in _OF_ASSOCIATION]
    first = func.min(receipt.c.at).label("first_at")
    wanted = (
        select(*same, first, func.max(receipt.c.at).label("last_at"), func.count().label("number"))
        .add_columns(func.sum(receipt.c.size).label("size"))
        .where(receipt.c.series_instance_uid == uid)
        .group_by(*same)
        .order_by(first)
        .limit(most)
    )
    return tuple(Association(**{**row._mapping, "size": int(row.size)}) for row in connection.execute(wanted))


_OF_ASSOCIATION = ("association", "channel", "calling_ae", "called_ae", "host", "disposition", "reason")


def _history(connection: Connection, uid: str) -> tuple[Event, ...]:
    rows = connection.execute(select(change).where(change.c.series_instance_uid == uid).order_by(change.c.id))
    events = []
    for row in rows:
        who = f"job {row.job_id}" if row.job_id else "series"
        stage = f" ({row.stage})" if row.stage else ""
        what = f"{who} {row.state}{stage}"
        events.append(Event(row.at, what, row.reason, row.actor, row.state, row.stage, row.job_id))
    return tuple(events)


def _job(connection: Connection, job_id: int) -> JobLine:
    row = connection.execute(select(job).where(job.c.id == job_id)).one()
    made = connection.execute(select(result).where(result.c.job_id == job_id).order_by(result.c.id)).all()
    sent = connection.execute(
        select(result.c.kind, *(delivery.c[name] for name in ("destination", "state", "answer", "attempts", "at")))
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
        **{name: getattr(row, name) for name in _AS_THEY_ARE},
        destinations=tuple(row.destinations),
        overdue=bool(row.overdue),
        made=tuple(
            Made(one.kind, one.series_instance_uid, one.sop_instance_uid, one.size, one.removed_at) for one in made
        ),
        sent=tuple(Sent(**one._mapping) for one in sent),
    )


_AS_THEY_ARE = (
    "rule_set_version", "priority", "attempts", "created_at", "started_at", "finished_at", "next_try_at",
    "deadline_at", "supersedes", "cause",
)  # fmt: skip
