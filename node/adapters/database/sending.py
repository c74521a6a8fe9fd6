"""Results of a finished job that are sent once more, or to other destinations than its rule says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from node.adapters.database import audit
from node.adapters.database.delivery_tables import promise
from node.adapters.database.engine import Database
from node.adapters.database.jobs import note_change
from node.adapters.database.tables import delivery, job, result
from node.core.jobs import Lane
from node.core.states import DeliveryState, JobState, Stage


def send_again(
    database: Database,
    job_id: int,
    to: Mapping[str, Collection[str]],
    *,
    instead: bool,
    reason: str,
    actor: str,
    now: datetime,
) -> str:
    """Have results of the job delivered: `to` says which kinds each destination gets. With `instead`, what is still on
    its way to others is not sent any more. Why it cannot be done, as the end of a sentence; "" when it was.
    """
    with database.transaction() as connection:
        row = connection.execute(select(job).where(job.c.id == job_id).with_for_update()).first()
        kept = connection.execute(
            select(result.c.id, result.c.kind, result.c.removed_at).where(result.c.job_id == job_id)
        ).all()
        if row is None:
            return "there is no such job"
        if refused := _refusal(row, kept):
            return refused
        for destination, kinds in to.items():
            for one in kept:
                if one.kind in kinds:
                    _ask(connection, one.id, destination)
        if instead:
            _drop_others(connection, job_id, to)
        _schedule(connection, row, job_id, now)
        note_change(connection, job_id, actor, JobState.SCHEDULED, reason, now)
        before = {"state": row.state, "destinations": row.destinations}
        after = {name: sorted(kinds) for name, kinds in to.items()}
        on = f"job {job_id}"
        audit.note(connection, now, "job.reroute", on, actor=actor, before=before, after=after, reason=reason)
    return ""


def _refusal(row: Row[Any], kept: Sequence[Any]) -> str:
    if row.state == JobState.IN_PROGRESS:
        return "it is in progress at this moment: try again when it is not"
    if row.state == JobState.SUPERSEDED:
        return "a newer version of the series took its place"
    if not kept:
        return "it has no results"
    if any(one.removed_at for one in kept):
        return "its results were removed to make room: reprocess the series"
    return ""


def _ask(connection: Connection, result_id: int, destination: str) -> None:
    """Waiting anew, whatever was answered before."""
    mine = (delivery.c.result_id == result_id) & (delivery.c.destination == destination)
    there = connection.scalar(select(delivery.c.id).where(mine))
    if there is None:
        row = {"result_id": result_id, "destination": destination, "state": DeliveryState.WAITING, "attempts": 0}
        connection.execute(insert(delivery), {**row, "answer": ""})
        return
    connection.execute(delete(promise).where(promise.c.delivery_id == there))
    connection.execute(update(delivery).where(delivery.c.id == there).values(state=DeliveryState.WAITING, attempts=0))


def _drop_others(connection: Connection, job_id: int, to: Collection[str]) -> None:
    mine = select(result.c.id).where(result.c.job_id == job_id)
    given_up = connection.scalars(
        select(delivery.c.id).where(
            delivery.c.result_id.in_(mine),
            delivery.c.state != DeliveryState.DELIVERED,
            delivery.c.destination.not_in([*to]),
        )
    ).all()
    connection.execute(delete(promise).where(promise.c.delivery_id.in_(given_up)))
    connection.execute(delete(delivery).where(delivery.c.id.in_(given_up)))


def _schedule(connection: Connection, row: Row[Any], job_id: int, now: datetime) -> None:
    mine = select(delivery.c.destination, delivery.c.state).join(result, delivery.c.result_id == result.c.id)
    sent = connection.execute(mine.where(result.c.job_id == job_id).order_by(delivery.c.id)).all()
    waiting = tuple(dict.fromkeys(one.destination for one in sent if one.state == DeliveryState.WAITING))
    values: dict[str, object] = {
        "state": JobState.SCHEDULED,
        "stage": Stage.DELIVER,
        "lane": str(Lane(destinations=waiting)),
        "destinations": list(dict.fromkeys(one.destination for one in sent)),
        "reason": "",
        "cause": None,
        "attempts": 0,
        "cut_off": 0,
        "owner": None,
        "next_try_at": now,
        "finished_at": None,
    }
    if row.state == JobState.COMPLETED:  # its results were there by then, or it was noted that they were not
        values["deadline_at"] = None
    connection.execute(update(job).where(job.c.id == job_id).values(**values))
