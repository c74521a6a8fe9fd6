"""Jobs and deliveries: record, retry. One transaction each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from node.adapters.database import audit
from node.adapters.database.engine import Database
from node.adapters.database.engine_tables import pause
from node.adapters.database.tables import change, delivery, job, result
from node.core import causes
from node.core.causes import Kind
from node.core.jobs import OVERDUE, Delivery, Finding, Job, Lane, MadeResult, is_overdue
from node.core.states import OPEN_JOBS, DeliveryState, JobState, Stage, may_step

_NOT_PEOPLE = frozenset({"worker", "clerk", "node", "reception", "dbos"})  # what they do is in the job's history
_DONE = {JobState.SCHEDULED: "job.retry", JobState.CANCELED: "job.cancel", JobState.DISMISSED: "job.dismiss"}
_TRIED_AGAIN = frozenset(
    one
    for one in JobState
    if may_step(one, JobState.SCHEDULED) and one not in (JobState.IN_PROGRESS, JobState.COMPLETED)
)
SUPERSEDED_BY_VERSION = "a newer version of the series takes its place"


def enter(database: Database, claimed: Job, stage: Stage) -> bool:
    """Note the stage that begins. False when the job is another's, or nobody's, by now: stop working on it."""
    with database.transaction() as connection:
        changed = connection.execute(update(job).where(_claimed(claimed)).values(stage=stage))
        return bool(changed.rowcount)


def hand_on(database: Database, claimed: Job, now: datetime) -> bool:
    """The results are kept: whoever delivers may take it from here. False when the job is another's by now."""
    with database.transaction() as connection:
        values = {"state": JobState.SCHEDULED, "next_try_at": now, "owner": None, "cut_off": 0}
        values["attempts"] = job.c.attempts - 1  # it is the same attempt that goes on
        return bool(connection.execute(update(job).where(_claimed(claimed)).values(**values)).rowcount)


def _claimed(by: Job) -> ColumnElement[bool]:
    """A fence: an attempt whose job was taken from it writes nothing more."""
    return (job.c.id == by.id) & (job.c.claim == by.claim) & (job.c.state == JobState.IN_PROGRESS)


def finish(
    database: Database,
    job_id: int,
    state: JobState,
    reason: str,
    now: datetime,
    *,
    actor: str = "worker",
    next_try_at: datetime | None = None,
    claim: int | None = None,
    kind: Kind | None = None,
) -> bool:
    """Leave a state by the table in core.states. False when somebody else moved the job meanwhile.

    With the number of a claim, only an attempt that still has the job may do so. `kind`: of what ended the attempt.
    """
    with database.transaction() as connection:
        before = _standing(connection, job_id)
        if before is None or not may_step(JobState(before.state), state):
            return False
        if before.state == JobState.COMPLETED and state is JobState.SCHEDULED:
            return False  # not worked on again; `send_again` is for what it made
        if claim is not None and (before.claim != claim or before.state != JobState.IN_PROGRESS):
            return False
        _leave(connection, job_id, before, (state, storable(reason), kind), now, actor, next_try_at)
        return True


def _standing(connection: Connection, job_id: int) -> Row[Any] | None:
    return connection.execute(select(job).where(job.c.id == job_id).with_for_update()).first()


def _leave(
    connection: Connection,
    job_id: int,
    before: Row[Any],
    to: tuple[JobState, str, Kind | None],
    now: datetime,
    actor: str,
    next_try_at: datetime | None = None,
) -> None:
    state, reason, kind = to
    values: dict[str, object] = {"state": state, "reason": reason, "owner": None, "cut_off": 0}
    values["next_try_at"] = (next_try_at or now) if state is JobState.SCHEDULED else None
    values["finished_at"] = None if state in OPEN_JOBS else now
    values["cause"] = causes.of_job(state, kind, before.model, reason)
    if is_overdue(before.deadline_at, now):
        values["overdue"] = 1
    connection.execute(update(job).where(job.c.id == job_id).values(**values))
    note_change(connection, job_id, actor, state, reason, now)
    if state is JobState.COMPLETED:
        _supersede_predecessor(connection, job_id, now)
    if actor not in _NOT_PEOPLE:
        about = {"before": before.state, "after": state.value, "reason": reason}
        audit.note(connection, now, _DONE.get(state, "job.change"), f"job {job_id}", actor=actor, **about)


def mark_overdue(database: Database, now: datetime) -> int:
    """Mark the open jobs whose deadline has passed, and note it in their history; how many there were. They go on."""
    late = job.c.state.in_(OPEN_JOBS) & (job.c.overdue == 0) & (job.c.deadline_at < now)
    with database.transaction() as connection:
        ids = connection.execute(select(job.c.id, job.c.state).where(late).with_for_update(skip_locked=True)).all()
        for row in ids:
            connection.execute(update(job).where(job.c.id == row.id).values(overdue=1))
            note_change(connection, row.id, "node", row.state, OVERDUE, now)
        return len(ids)


def was_held(database: Database, of: Job) -> bool:
    """Whether a job was held before: whoever tried it again has let it go."""
    mine = (change.c.series_instance_uid == of.series_instance_uid) & (change.c.job_id == of.id)
    with database.reading() as connection:
        held = select(change.c.id).where(mine, change.c.state == JobState.HELD).limit(1)
        return connection.execute(held).first() is not None


def retry(database: Database, job_id: int, actor: str, now: datetime, reason: str = "tried again on request") -> bool:
    """Start a job again that ended without success, with new deliveries for what was refused.

    As one: whoever takes it up in this very moment finds all of it. False for one in progress, which goes on, and where
    the results that it would send were removed.
    """
    with database.transaction() as connection:
        before = _standing(connection, job_id)
        if before is None or before.state not in _TRIED_AGAIN or _are_gone(connection, job_id):
            return False
        mine = select(result.c.id).where(result.c.job_id == job_id)
        connection.execute(
            update(delivery)
            .where(delivery.c.result_id.in_(mine), delivery.c.state == DeliveryState.REFUSED)
            .values(state=DeliveryState.WAITING, attempts=0)
        )
        connection.execute(update(job).where(job.c.id == job_id).values(stage=None, attempts=0))
        _leave(connection, job_id, before, (JobState.SCHEDULED, storable(reason), None), now, actor)
    return True


def _are_gone(connection: Connection, job_id: int) -> bool:
    gone = select(result.c.id).where(result.c.job_id == job_id, result.c.removed_at.is_not(None))
    return connection.execute(gone.limit(1)).first() is not None


def storable(text: str) -> str:
    """Text from elsewhere as every database takes it: a peer's comment, what a model raised."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _supersede_predecessor(connection: Connection, job_id: int, now: datetime) -> None:
    before = connection.scalar(select(job.c.supersedes).where(job.c.id == job_id))
    if before is None:
        return
    reason = f"replaced by the result of job {job_id}"
    other = (job.c.id == before) & (job.c.state != JobState.SUPERSEDED)
    superseded = update(job).where(other).values(state=JobState.SUPERSEDED, reason=reason, cause=None)
    if connection.execute(superseded).rowcount:
        note_change(connection, before, "worker", JobState.SUPERSEDED, reason, now)


def note_change(connection: Connection, job_id: int, actor: str, state: str, reason: str, now: datetime) -> None:
    """Every change keeps time, actor and reason."""
    row = connection.execute(select(job.c.series_instance_uid, job.c.stage).where(job.c.id == job_id)).one()
    values = {"at": now, "actor": actor, "series_instance_uid": row.series_instance_uid, "job_id": job_id}
    connection.execute(insert(change), {**values, "state": state, "stage": row.stage, "reason": reason})


def keep_results(
    database: Database,
    kept: Job,
    made: Sequence[MadeResult],
    findings: Sequence[Finding],
    seconds: Mapping[str, float],
    model_version: str,
    sent: Mapping[str, Collection[str]] | None = None,
) -> bool:
    """Write the results and what is to be delivered where; a repeated attempt finds its own rows and leaves them.

    `sent` says which destinations get an object, by its kind; all of the job's where it does not say.
    False when the job is another's by now: nothing was written.
    """
    segments = [asdict(one) for one in findings]
    lane = str(Lane(destinations=kept.destinations))
    with database.transaction() as connection:
        if connection.execute(select(job.c.id).where(_claimed(kept)).with_for_update()).first() is None:
            return False
        there = {row.kind for row in connection.execute(select(result.c.kind).where(result.c.job_id == kept.id))}
        for one in made:
            if one.kind not in there:
                _keep_result(connection, kept, one, (sent or {}).get(one.kind, kept.destinations))
        connection.execute(
            update(job)
            .where(job.c.id == kept.id)
            .values(
                segments=segments, seconds=dict(seconds), stage=Stage.DELIVER, model_version=model_version, lane=lane
            )
        )
    return True


def _keep_result(connection: Connection, kept: Job, one: MadeResult, destinations: Collection[str]) -> None:
    created = connection.execute(
        insert(result).values(
            job_id=kept.id,
            kind=one.kind,
            sop_class_uid=one.sop_class_uid,
            series_instance_uid=one.series_instance_uid,
            sop_instance_uid=one.sop_instance_uid,
            path=one.path,
            sha256=one.sha256,
            size=one.size,
        )
    )
    key = created.inserted_primary_key
    if key is None:
        return
    for destination in destinations:
        row = {"result_id": int(key[0]), "destination": destination, "state": DeliveryState.WAITING, "attempts": 0}
        connection.execute(insert(delivery), {**row, "answer": ""})


def note_seconds(database: Database, job_id: int, seconds: Mapping[str, float]) -> None:
    """Add what a stage took."""
    with database.transaction() as connection:
        before = connection.scalar(select(job.c.seconds).where(job.c.id == job_id)) or {}
        connection.execute(update(job).where(job.c.id == job_id).values(seconds={**before, **seconds}))


def results(database: Database, job_id: int) -> list[MadeResult]:
    wanted = select(result).where(result.c.job_id == job_id).order_by(result.c.id)
    with database.reading() as connection:
        return [
            MadeResult(
                row.kind,
                row.sop_class_uid,
                row.series_instance_uid,
                row.sop_instance_uid,
                row.path,
                row.sha256,
                row.size,
            )
            for row in connection.execute(wanted)
        ]


def to_deliver(database: Database, job_id: int) -> list[Delivery]:
    """What is still to be sent, in the order in which results were made: the SEG before the SR that refers to it.

    A destination that is paused gets nothing.
    """
    paused = select(pause.c.name).where(pause.c.kind == "destination")
    wanted = (
        select(delivery, result.c.kind, result.c.sop_class_uid, result.c.sop_instance_uid, result.c.path)
        .join(result, delivery.c.result_id == result.c.id)
        .where(
            result.c.job_id == job_id,
            delivery.c.state == DeliveryState.WAITING,
            delivery.c.destination.not_in(paused),
        )
        .order_by(delivery.c.destination, result.c.id)
    )
    with database.reading() as connection:
        return [
            Delivery(row.id, row.destination, row.kind, row.sop_class_uid, row.sop_instance_uid, row.path, row.attempts)
            for row in connection.execute(wanted)
        ]


def note_delivery(database: Database, delivery_id: int, state: DeliveryState, answer: str, now: datetime) -> None:
    """What the destination said to this instance, and when."""
    with database.transaction() as connection:
        connection.execute(
            update(delivery)
            .where(delivery.c.id == delivery_id)
            .values(state=state, answer=storable(answer), attempts=delivery.c.attempts + 1, at=now)
        )


def refused(database: Database, job_id: int) -> list[tuple[str, str]]:
    """(destination, answer) of deliveries that were refused for good."""
    wanted = (
        select(delivery.c.destination, delivery.c.answer)
        .join(result, delivery.c.result_id == result.c.id)
        .where(result.c.job_id == job_id, delivery.c.state == DeliveryState.REFUSED)
    )
    with database.reading() as connection:
        return [(row.destination, row.answer) for row in connection.execute(wanted)]


def get(database: Database, job_id: int) -> Job | None:
    with database.reading() as connection:
        row = connection.execute(select(job).where(job.c.id == job_id)).first()
        return read(row) if row else None


def read(row: Row[Any]) -> Job:
    """A job from its row."""
    return Job(
        id=row.id,
        series_instance_uid=row.series_instance_uid,
        version=row.version,
        rule=row.rule,
        rule_set_version=row.rule_set_version,
        model=row.model,
        model_version=row.model_version,
        volume=row.volume,
        destinations=tuple(row.destinations),
        priority=row.priority,
        state=JobState(row.state),
        stage=Stage(row.stage) if row.stage else None,
        reason=row.reason,
        attempts=row.attempts,
        created_at=row.created_at,
        supersedes=row.supersedes,
        claim=row.claim,
        cut_off=row.cut_off,
        deadline_at=row.deadline_at,
        overdue=bool(row.overdue),
    )
