"""Jobs and deliveries: claim, record, retry. One transaction each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, case, func, insert, select, update

from node.adapters.database.engine import Database
from node.adapters.database.tables import change, delivery, job, result
from node.core.jobs import Delivery, Finding, Job, MadeResult
from node.core.states import OPEN_JOBS, DeliveryState, JobState, Stage, may_step

SUPERSEDED_BY_VERSION = "a newer version of the series takes its place"

_ORDER = case({"stat": 0, "routine": 1, "low": 2}, value=job.c.priority, else_=1)


def claim(database: Database, now: datetime) -> Job | None:
    """Take the next job that is due: by priority, then by age. None when there is none."""
    wanted = (
        select(job)
        .where(job.c.state == JobState.SCHEDULED, (job.c.next_try_at.is_(None)) | (job.c.next_try_at <= now))
        .order_by(_ORDER, job.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    with database.transaction() as connection:
        row = connection.execute(wanted).first()
        if row is None:
            return None
        connection.execute(
            update(job)
            .where(job.c.id == row.id)
            .values(
                state=JobState.IN_PROGRESS,
                stage=row.stage or Stage.INFER,
                attempts=job.c.attempts + 1,
                started_at=func.coalesce(job.c.started_at, now),
                next_try_at=None,
                reason="",
            )
        )
        claimed = connection.execute(select(job).where(job.c.id == row.id)).one()
        return _job(claimed)


def release_interrupted(database: Database, now: datetime) -> int:
    """At start: what was in progress when the last process ended is taken up again."""
    reason = "the node stopped in the middle of it"
    with database.transaction() as connection:
        rows = connection.execute(select(job.c.id).where(job.c.state == JobState.IN_PROGRESS)).all()
        for row in rows:
            connection.execute(update(job).where(job.c.id == row.id).values(state=JobState.SCHEDULED, reason=reason))
            note_change(connection, row.id, "node", JobState.SCHEDULED, reason, now)
    return len(rows)


def enter(database: Database, job_id: int, stage: Stage) -> bool:
    """Note the stage that begins. False when the job is not in progress any more: stop working on it."""
    with database.transaction() as connection:
        changed = connection.execute(
            update(job).where(job.c.id == job_id, job.c.state == JobState.IN_PROGRESS).values(stage=stage)
        )
        return bool(changed.rowcount)


def finish(
    database: Database,
    job_id: int,
    state: JobState,
    reason: str,
    now: datetime,
    *,
    actor: str = "worker",
    next_try_at: datetime | None = None,
) -> bool:
    """Leave a state by the table in core.states. False when somebody else moved the job meanwhile."""
    with database.transaction() as connection:
        before = connection.scalar(select(job.c.state).where(job.c.id == job_id).with_for_update())
        if before is None or not may_step(JobState(before), state):
            return False
        values: dict[str, object] = {"state": state, "reason": reason, "next_try_at": next_try_at}
        values["finished_at"] = None if state in OPEN_JOBS else now
        connection.execute(update(job).where(job.c.id == job_id).values(**values))
        note_change(connection, job_id, actor, state, reason, now)
        if state is JobState.COMPLETED:
            _supersede_predecessor(connection, job_id, now)
        return True


def retry(database: Database, job_id: int, actor: str, now: datetime) -> bool:
    """Start a finished job again, with new deliveries for what was refused."""
    if not finish(database, job_id, JobState.SCHEDULED, "tried again on request", now, actor=actor):
        return False
    with database.transaction() as connection:
        connection.execute(update(job).where(job.c.id == job_id).values(stage=None, attempts=0))
        mine = select(result.c.id).where(result.c.job_id == job_id)
        connection.execute(
            update(delivery)
            .where(delivery.c.result_id.in_(mine), delivery.c.state == DeliveryState.REFUSED)
            .values(state=DeliveryState.WAITING, attempts=0)
        )
    return True


def _supersede_predecessor(connection: Connection, job_id: int, now: datetime) -> None:
    before = connection.scalar(select(job.c.supersedes).where(job.c.id == job_id))
    if before is None:
        return
    reason = f"replaced by the result of job {job_id}"
    connection.execute(update(job).where(job.c.id == before).values(state=JobState.SUPERSEDED, reason=reason))
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
) -> None:
    """Write the results and what is to be delivered where; a repeated attempt finds its own rows and leaves them."""
    segments = [{"number": one.number, "label": one.label, "volume_ml": one.volume_ml} for one in findings]
    with database.transaction() as connection:
        there = {row.kind for row in connection.execute(select(result.c.kind).where(result.c.job_id == kept.id))}
        for one in made:
            if one.kind not in there:
                _keep_result(connection, kept, one)
        connection.execute(
            update(job)
            .where(job.c.id == kept.id)
            .values(segments=segments, seconds=dict(seconds), stage=Stage.DELIVER, model_version=model_version)
        )


def _keep_result(connection: Connection, kept: Job, one: MadeResult) -> None:
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
    for destination in kept.destinations:
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
    """What is still to be sent, in the order in which results were made: the SEG before the SR that refers to it."""
    wanted = (
        select(delivery, result.c.kind, result.c.sop_class_uid, result.c.sop_instance_uid, result.c.path)
        .join(result, delivery.c.result_id == result.c.id)
        .where(result.c.job_id == job_id, delivery.c.state == DeliveryState.WAITING)
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
            .values(state=state, answer=answer, attempts=delivery.c.attempts + 1, at=now)
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
        return _job(row) if row else None


def _job(row: Row[tuple[object, ...]]) -> Job:
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
    )
