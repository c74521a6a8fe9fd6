"""What is paused by a person: models that get no jobs, destinations that get no objects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from node.adapters.database import audit
from node.adapters.database.delivery_tables import breaker
from node.adapters.database.engine import Database
from node.adapters.database.engine_tables import pause as rows
from node.adapters.database.tables import delivery, job, result
from node.core.jobs import Paused
from node.core.states import DeliveryState, JobState

MODEL, DESTINATION = "model", "destination"


@dataclass(frozen=True)
class Pause:
    """One thing that is paused."""

    kind: str
    name: str
    at: datetime
    actor: str


def pause(database: Database, kind: str, name: str, actor: str, now: datetime) -> bool:
    """Jobs in progress go on; nothing new is begun. False when it was paused already."""
    with database.transaction() as connection:
        if connection.execute(select(rows).where(rows.c.kind == kind, rows.c.name == name)).first():
            return False
        connection.execute(insert(rows).values(kind=kind, name=name, at=now, actor=actor))
        audit.note(connection, now, f"{kind}.pause", f"{kind} {name}", actor=actor, before="in use", after="paused")
    return True


def resume(
    database: Database, kind: str, name: str, now: datetime, actor: str = "", groups: Collection[str] = ()
) -> bool:
    """What waited for it, or for a group of which it is a member, is due now. False when it was not paused.

    A destination that failed is tried at once too: whoever resumes it has seen to it.
    """
    with database.transaction() as connection:
        gone = connection.execute(delete(rows).where(rows.c.kind == kind, rows.c.name == name)).rowcount
        if gone and kind == DESTINATION:
            connection.execute(
                update(breaker)
                .where(breaker.c.destination == name, breaker.c.next_try_at > now)
                .values(next_try_at=now)
            )
            for one in (name, *groups):
                due_now(connection, one, now)
        if gone:
            audit.note(
                connection, now, f"{kind}.resume", f"{kind} {name}", actor=actor, before="paused", after="in use"
            )
    return bool(gone)


def listed(database: Database) -> Sequence[Pause]:
    """What is paused, longest first."""
    with database.reading() as connection:
        found = connection.execute(select(rows).order_by(rows.c.at))
        return [Pause(row.kind, row.name, row.at, row.actor) for row in found]


def read(connection: Connection) -> Paused:
    """What is paused, inside a transaction."""
    found = connection.execute(select(rows.c.kind, rows.c.name)).all()
    return Paused(
        frozenset(row.name for row in found if row.kind == MODEL),
        frozenset(row.name for row in found if row.kind == DESTINATION),
    )


def held_up(database: Database, job_id: int) -> list[Pause]:
    """The paused destinations that one job still has something for."""
    wanted = (
        select(rows)
        .where(
            rows.c.kind == DESTINATION,
            rows.c.name.in_(
                select(delivery.c.destination)
                .join(result, delivery.c.result_id == result.c.id)
                .where(result.c.job_id == job_id, delivery.c.state == DeliveryState.WAITING)
            ),
        )
        .order_by(rows.c.name)
    )
    with database.reading() as connection:
        return [Pause(row.kind, row.name, row.at, row.actor) for row in connection.execute(wanted)]


def due_now(connection: Connection, destination: str, now: datetime) -> None:
    """What waits for it, under the name that rules use, is tried at `now` at the latest."""
    waiting = (
        select(result.c.job_id)
        .join(delivery, delivery.c.result_id == result.c.id)
        .where(delivery.c.destination == destination, delivery.c.state == DeliveryState.WAITING)
    )
    connection.execute(
        update(job)
        .where(job.c.state == JobState.SCHEDULED, job.c.next_try_at > now, job.c.id.in_(waiting))
        .values(next_try_at=now)
    )
