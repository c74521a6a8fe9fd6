"""Series that wait for completion, and the instances they are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, insert, select, true, update

from node.adapters.database import name_words
from node.adapters.database.engine import Database
from node.adapters.database.jobs import SUPERSEDED_BY_VERSION, note_change
from node.adapters.database.routing import Notice, await_study, note, note_inputs, note_more, reopen_carriers
from node.adapters.database.tables import change, decision, delivery, instance, job, result, series
from node.core.causes import of_series
from node.core.jobs import Lane, NewJob, rank
from node.core.states import DeliveryState, JobState, SeriesState

_AT_ONCE = 500  # paths in one query
_ONE_LOOK = timedelta(seconds=15)  # longer than it takes; a process that dies in it delays the series by no more


@dataclass(frozen=True)
class StoredInstance:
    """An instance that the node keeps."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    sha256: str
    path: str  # relative to the store
    received_at: datetime
    facts: Mapping[str, object] | None  # core.dicom.to_json; None until somebody read the header
    removed_at: datetime | None = None  # when its bytes went


@dataclass(frozen=True)
class WaitingSeries:
    """A series that may be complete."""

    series_instance_uid: str
    study_instance_uid: str
    version: int
    calling_ae: str
    called_ae: str
    host: str
    first_at: datetime
    last_at: datetime
    instances: tuple[StoredInstance, ...]


@dataclass(frozen=True)
class Verdict:
    """What became of a completed series, to be written as one."""

    state: SeriesState
    reason: str
    evidence: str
    rule_set_version: str
    rule: str  # that settled it; "": no rule did
    outcomes: Sequence[Mapping[str, object]]
    jobs: Sequence[NewJob]
    tags: Sequence[str] = ()
    notices: Sequence[Notice] = ()


def due(database: Database, now: datetime, limit: int = 20) -> list[str]:
    """The series that are to be looked at.

    Where several processes share a database, each gets its own: nobody else is given them for a while.
    """
    wanted = (
        select(series.c.series_instance_uid)
        .where(series.c.state == SeriesState.WAITING, series.c.look_at <= now)
        .order_by(series.c.look_at)
        .limit(limit)
    )
    with database.reading() as connection:
        found = list(connection.scalars(wanted))
    if not found or database.engine.dialect.name == "sqlite":
        return found
    with database.transaction() as connection:
        found = list(connection.scalars(wanted.with_for_update(skip_locked=True)))
        mine = series.c.series_instance_uid.in_(found)
        connection.execute(update(series).where(mine).values(look_at=now + _ONE_LOOK))
    return found


def next_look(database: Database) -> datetime | None:
    """When the next waiting series is to be looked at."""
    with database.reading() as connection:
        soonest: datetime | None = connection.scalar(
            select(func.min(series.c.look_at)).where(series.c.state == SeriesState.WAITING)
        )
        return soonest


def waiting(database: Database, series_instance_uid: str) -> WaitingSeries | None:
    """The series with its instances; None when it does not wait any more."""
    with database.reading() as connection:
        return _seen(connection, series_instance_uid, series.c.state == SeriesState.WAITING)


def received(database: Database, series_instance_uid: str) -> WaitingSeries | None:
    """The series with its instances, whatever became of it."""
    with database.reading() as connection:
        return _seen(connection, series_instance_uid, true())


def _seen(connection: Connection, uid: str, such: ColumnElement[bool]) -> WaitingSeries | None:
    row = connection.execute(select(series).where(series.c.series_instance_uid == uid, such)).first()
    if row is None:
        return None
    return WaitingSeries(
        series_instance_uid=row.series_instance_uid,
        study_instance_uid=row.study_instance_uid,
        version=row.version,
        calling_ae=row.calling_ae,
        called_ae=row.called_ae,
        host=row.host,
        first_at=row.first_at,
        last_at=row.last_at,
        instances=_instances(connection, uid),
    )


def study_of(database: Database, series_instance_uid: str) -> str | None:
    """The StudyInstanceUID of a series."""
    wanted = select(series.c.study_instance_uid).where(series.c.series_instance_uid == series_instance_uid)
    with database.reading() as connection:
        return connection.scalar(wanted)


def instances(database: Database, series_instance_uid: str) -> tuple[StoredInstance, ...]:
    """Without those that a person had removed: they are no part of it any more."""
    with database.reading() as connection:
        return _instances(connection, series_instance_uid)


def _instances(connection: Connection, series_instance_uid: str) -> tuple[StoredInstance, ...]:
    rows = connection.execute(
        select(instance)
        .where(instance.c.series_instance_uid == series_instance_uid, instance.c.erased_by.is_(None))
        .order_by(instance.c.sop_instance_uid)
    )
    return tuple(
        StoredInstance(
            row.sop_instance_uid,
            row.sop_class_uid,
            row.transfer_syntax_uid,
            row.sha256,
            row.path,
            row.received_at,
            row.facts,
            row.removed_at,
        )
        for row in rows
    )


def remember_facts(database: Database, facts: Mapping[str, Mapping[str, object]]) -> None:
    """Keep what was read from the headers: SOP Instance UID → core.dicom.to_json."""
    if not facts:
        return
    keep = update(instance).where(instance.c.sop_instance_uid == bindparam("uid")).values(facts=bindparam("read"))
    with database.transaction() as connection:
        connection.execute(keep, [{"uid": uid, "read": dict(one)} for uid, one in facts.items()])


def postpone(database: Database, seen: WaitingSeries, look_at: datetime, sentence: str) -> None:
    """Look again later; `sentence` says what is waited for. Nothing happens when an instance came meanwhile."""
    with database.transaction() as connection:
        connection.execute(update(series).where(_unchanged(seen)).values(look_at=look_at, evidence=sentence))


def postpone_for_study(
    database: Database, seen: WaitingSeries, look_at: datetime, sentence: str, now: datetime
) -> None:
    """The series is complete, and waits for others of its study; `sentence` says which."""
    await_study(database, _unchanged(seen), seen.series_instance_uid, look_at, sentence, now)


def settle(database: Database, seen: WaitingSeries, verdict: Verdict, now: datetime) -> bool:
    """Write completion, decision and jobs as one. False when an instance came meanwhile: nothing was written."""
    uid = seen.series_instance_uid
    with database.transaction() as connection:
        changed = connection.execute(
            update(series)
            .where(_unchanged(seen))
            .values(
                state=verdict.state,
                reason=verdict.reason,
                evidence=verdict.evidence,
                completed_at=now,
                look_at=None,
                cause=of_series(verdict.rule, verdict.reason) if verdict.state is SeriesState.HELD else None,
            )
        )
        if not changed.rowcount:
            return False
        connection.execute(
            insert(decision),
            {
                "series_instance_uid": uid,
                "version": seen.version,
                "rule_set_version": verdict.rule_set_version,
                "rule": verdict.rule,
                "at": now,
                "outcomes": list(verdict.outcomes),
            },
        )
        why = f"{verdict.evidence}; {verdict.reason}" if verdict.reason else verdict.evidence
        row = {"at": now, "actor": "completion", "series_instance_uid": uid, "state": verdict.state, "reason": why}
        connection.execute(insert(change), row)
        note(connection, uid, seen.version, verdict.tags, verdict.notices, now)
        for new in verdict.jobs:
            _create(connection, seen, new, now)
        _supersede_open(connection, seen, now)
        reopen_carriers(connection, uid, len(seen.instances), now)
        if seen.version > 1:  # last: reception waits for these rows, and may hold those that were wanted before
            name_words.forget_old(connection, seen.study_instance_uid)
    return True


def extend(database: Database, seen: WaitingSeries, verdict: Verdict, now: datetime) -> int:
    """Write a second decision on a routed series, and what it asks for beyond the first; how many jobs that is.

    No model gets a second job on a volume of this version, so that this comes to an end. Nothing happens when an
    instance came meanwhile.
    """
    uid, version = seen.series_instance_uid, seen.version
    mine = (series.c.series_instance_uid == uid) & (series.c.version == version)
    with database.transaction() as connection:
        routed = mine & (series.c.state == SeriesState.ROUTED)
        if connection.execute(select(series.c.version).where(routed).with_for_update()).first() is None:
            return 0
        asked = select(job.c.model, job.c.volume).where(job.c.series_instance_uid == uid, job.c.version == version)
        there = {(row.model, row.volume) for row in connection.execute(asked)}
        new = [one for one in verdict.jobs if (one.model, one.volume) not in there]
        connection.execute(
            update(decision)
            .where(decision.c.series_instance_uid == uid, decision.c.version == version)
            .values(rule_set_version=verdict.rule_set_version, at=now, outcomes=list(verdict.outcomes))
        )
        note_more(connection, uid, version, verdict.tags, verdict.notices, now)
        if new:
            why = f"{verdict.evidence}; {verdict.reason}"
            row = {"at": now, "actor": "rules", "series_instance_uid": uid, "state": SeriesState.ROUTED, "reason": why}
            connection.execute(insert(change), row)
        for one in new:
            _create(connection, seen, one, now)
    return len(new)


def _unchanged(seen: WaitingSeries) -> ColumnElement[bool]:
    """Moments may be equal, and a clock may be set back: the instances are counted too."""
    mine = (instance.c.series_instance_uid == seen.series_instance_uid) & instance.c.erased_by.is_(None)
    there = select(func.count()).select_from(instance).where(mine).scalar_subquery()
    return (
        (series.c.series_instance_uid == seen.series_instance_uid)
        & (series.c.state == SeriesState.WAITING)
        & (series.c.version == seen.version)
        & (series.c.last_at == seen.last_at)
        & (there == len(seen.instances))
    )


def _supersede_open(connection: Connection, seen: WaitingSeries, now: datetime) -> None:
    """A job on an older version of the series need not be finished: its result would be replaced at once. Nor does
    anybody have to look at one that failed. What was delivered stays until its successor was."""
    mine = (job.c.series_instance_uid == seen.series_instance_uid) & (job.c.version < seen.version)
    over = set(JobState) - {JobState.COMPLETED, JobState.SUPERSEDED}
    for row in connection.execute(select(job.c.id).where(mine, job.c.state.in_(over))).all():
        connection.execute(
            update(job)
            .where(job.c.id == row.id)
            .values(state=JobState.SUPERSEDED, reason=SUPERSEDED_BY_VERSION, finished_at=now, cause=None)
        )
        note_change(connection, row.id, "completion", JobState.SUPERSEDED, SUPERSEDED_BY_VERSION, now)


def _create(connection: Connection, seen: WaitingSeries, new: NewJob, now: datetime) -> None:
    before = _predecessor(connection, seen, new)
    created = connection.execute(
        insert(job).values(
            series_instance_uid=seen.series_instance_uid,
            version=seen.version,
            rule=new.rule,
            rule_set_version=new.rule_set_version,
            model=new.model,
            model_version=new.model_version,
            volume=new.volume,
            destinations=list(new.destinations),
            priority=new.priority,
            state=JobState.SCHEDULED,
            reason="",
            attempts=0,
            created_at=now,
            seconds={},
            segments=[],
            supersedes=before,
            next_try_at=now,
            lane=str(Lane(model=new.model)),
            rank=rank(new.priority),
            deadline_at=new.deadline_at,
        )
    )
    key = created.inserted_primary_key
    if key is not None:
        note_inputs(connection, int(key[0]), new.inputs)
        note_change(connection, int(key[0]), "completion", JobState.SCHEDULED, f"rule {new.rule}", now)


def _predecessor(connection: Connection, seen: WaitingSeries, new: NewJob) -> int | None:
    """The job of an earlier version whose result is, or may by now be, at a destination."""
    mine = select(result.c.id).where(result.c.job_id == job.c.id)
    to_somebody = delivery.join(result, delivery.c.result_id == result.c.id)
    sent = exists(
        select(delivery.c.id)
        .select_from(to_somebody)
        .where(result.c.job_id == job.c.id, delivery.c.state == DeliveryState.DELIVERED)
    )
    on_its_way = exists(mine) & (job.c.state == JobState.IN_PROGRESS)
    wanted = (
        select(job.c.id)
        .where(
            job.c.series_instance_uid == seen.series_instance_uid,
            job.c.model == new.model,
            job.c.volume == new.volume,
            job.c.version < seen.version,
            (job.c.state == JobState.COMPLETED) | sent | on_its_way,
        )
        .order_by(job.c.version.desc())
        .limit(1)
    )
    found: int | None = connection.scalar(wanted)
    return found


def missing_files(database: Database, size: Callable[[str], int | None]) -> list[str]:
    """Paths of acknowledged instances whose file is missing or holds fewer bytes than were received.

    `size`: bytes of what is kept under a path; None when nothing is. What retention or a person removed is not missing.
    """
    there = instance.c.removed_at.is_(None)
    missing: list[str] = []
    with database.reading() as connection:
        rows = select(instance.c.path, instance.c.size).where(there)
        for row in connection.execution_options(yield_per=1000).execute(rows):
            found = size(row.path)
            if found is None or found < row.size:
                missing.append(row.path)
    still = set[str]()
    with database.reading() as connection:  # the look above sees one moment, and takes long: some may have gone since
        for at in range(0, len(missing), _AT_ONCE):
            some = instance.c.path.in_(missing[at : at + _AT_ONCE])
            still.update(connection.scalars(select(instance.c.path).where(some, there)))
    return [path for path in missing if path in still]
