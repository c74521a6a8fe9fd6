"""What destinations did lately, are able to, and promised. One transaction each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Insert, Select, delete, func, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from node.adapters.database.delivery_tables import breaker, capability, promise
from node.adapters.database.engine import Database
from node.adapters.database.tables import delivery, job, result
from node.core.breaker import CLOSED, Breaker
from node.core.states import OPEN_JOBS, DeliveryState, JobState

ASKED, COMMITTED, FAILED = "asked", "committed", "failed"
# As the index of those that wait has it: a value beside the statement would not be seen to be it.
_IS_WAITING = delivery.c.state == literal_column(f"'{DeliveryState.WAITING}'")
# Not along the index of states: what waits is few, also where many jobs are open.
_IS_OPEN = func.coalesce(job.c.state, "").in_(OPEN_JOBS)


@dataclass(frozen=True)
class Promise:
    """Storage commitment that was asked for one delivery."""

    delivery_id: int
    destination: str
    asked_at: datetime
    answer: str  # to the C-STORE before
    state: str
    reason: str


def known_breaker(database: Database, destination: str) -> Breaker:
    with database.reading() as connection:
        return _breaker(connection, destination)


def known_breakers(database: Database) -> dict[str, Breaker]:
    """Every destination that failed last."""
    with database.reading() as connection:
        return {row.destination: _read(row) for row in connection.execute(select(breaker))}


def step(database: Database, destination: str, next_one: Callable[[Breaker], Breaker | None]) -> Breaker | None:
    """Put the breaker into the next state, alone; None, and nothing changed, when `next_one` says so."""
    with database.transaction() as connection:
        _ensure(connection, breaker, {"destination": destination, "failures": 0, "reason": ""})
        stepped = next_one(_breaker(connection, destination, lock=True))
        if stepped is not None:
            values = {name: getattr(stepped, name) for name in ("failures", "since", "next_try_at", "reason")}
            connection.execute(update(breaker).where(breaker.c.destination == destination).values(**values))
        return stepped


def close_breaker(database: Database, destination: str, waiting_as: Collection[str], now: datetime) -> None:
    """It answers again: every job that waits for it, under its name or those of its groups, is due now."""
    with database.transaction() as connection:
        connection.execute(delete(breaker).where(breaker.c.destination == destination))
        _make_due(connection, delivery.c.destination.in_([*waiting_as]), now)


def queued(database: Database, names: Collection[str]) -> int:
    """How many results wait under these names of destinations."""
    with database.reading() as connection:
        return connection.scalar(_counted().where(delivery.c.destination.in_([*names]))) or 0


def all_queued(database: Database) -> dict[str, tuple[int, datetime]]:
    """Name of a destination → results that wait for it, and since when the oldest of their jobs is there."""
    wanted = (
        select(delivery.c.destination, func.count().label("number"), func.min(job.c.created_at).label("oldest"))
        .join(result, delivery.c.result_id == result.c.id)
        .join(job, result.c.job_id == job.c.id)
        .where(_IS_WAITING, _IS_OPEN)
        .group_by(delivery.c.destination)
    )
    with database.reading() as connection:
        return {row.destination: (row.number, row.oldest) for row in connection.execute(wanted)}


def keep_capability(database: Database, destination: str, card: Mapping[str, object], now: datetime) -> None:
    """What a test saw takes the place of what the one before saw."""
    with database.transaction() as connection:
        connection.execute(delete(capability).where(capability.c.destination == destination))
        _ensure(connection, capability, {"destination": destination, "at": now, "card": dict(card)})


def capabilities(database: Database) -> dict[str, tuple[datetime, dict[str, Any]]]:
    """Destination → when it was tested, and what was seen."""
    with database.reading() as connection:
        return {row.destination: (row.at, row.card) for row in connection.execute(select(capability))}


def ask(
    database: Database, transaction_uid: str, destination: str, asked: Mapping[int, tuple[str, str]], now: datetime
) -> None:
    """Note that storage commitment is being asked for: delivery → SOP Instance UID, answer to its C-STORE."""
    same = {"transaction_uid": transaction_uid, "destination": destination, "asked_at": now}
    with database.transaction() as connection:
        for delivery_id, (uid, answer) in asked.items():
            connection.execute(delete(promise).where(promise.c.delivery_id == delivery_id))
            row = {"delivery_id": delivery_id, "sop_instance_uid": uid, "answer": answer}
            _ensure(connection, promise, {**same, **row, "state": ASKED, "reason": ""})


def promises(database: Database, delivery_ids: Collection[int]) -> dict[int, Promise]:
    """What was asked for these deliveries, and what came of it."""
    with database.reading() as connection:
        rows = connection.execute(select(promise).where(promise.c.delivery_id.in_([*delivery_ids])))
        return {
            row.delivery_id: Promise(row.delivery_id, row.destination, row.asked_at, row.answer, row.state, row.reason)
            for row in rows
        }


def forget(database: Database, delivery_ids: Collection[int]) -> None:
    """These are asked for anew, or not at all."""
    with database.transaction() as connection:
        connection.execute(delete(promise).where(promise.c.delivery_id.in_([*delivery_ids])))


def report(
    database: Database, transaction_uid: str, committed: Collection[str], failed: Mapping[str, str], now: datetime
) -> bool:
    """Note a report: SOP Instance UIDs, and reasons of those that failed. False for a transaction nobody knows."""
    mine = promise.c.transaction_uid == transaction_uid
    with database.transaction() as connection:
        known = connection.execute(select(promise.c.delivery_id, promise.c.sop_instance_uid).where(mine)).all()
        for row in known:
            if row.sop_instance_uid in failed:
                values = {"state": FAILED, "reason": failed[row.sop_instance_uid]}
            elif row.sop_instance_uid in committed:
                values = {"state": COMMITTED, "reason": ""}
            else:
                continue
            connection.execute(update(promise).where(promise.c.delivery_id == row.delivery_id).values(**values))
        # What failed is sent again, but not at once for ever: its job waits as long as it would have.
        kept = [row.delivery_id for row in known if row.sop_instance_uid in committed]
        _make_due(connection, delivery.c.id.in_(kept), now)
        return bool(known)


def _breaker(connection: Connection, destination: str, *, lock: bool = False) -> Breaker:
    wanted = select(breaker).where(breaker.c.destination == destination)
    row = connection.execute(wanted.with_for_update() if lock else wanted).first()
    return _read(row) if row else CLOSED


def _read(row: Any) -> Breaker:
    return Breaker(row.failures, row.since, row.next_try_at, row.reason)


def _counted() -> Select[Any]:
    return (
        select(func.count())
        .select_from(delivery)
        .join(result, delivery.c.result_id == result.c.id)
        .join(job, result.c.job_id == job.c.id)
        .where(_IS_WAITING, _IS_OPEN)
    )


def _make_due(connection: Connection, of: Any, now: datetime) -> None:
    waiting = select(result.c.job_id).join(delivery, delivery.c.result_id == result.c.id).where(of, _IS_WAITING)
    connection.execute(
        update(job).where(job.c.id.in_(waiting), job.c.state == JobState.SCHEDULED).values(next_try_at=now)
    )


def _ensure(connection: Connection, table: Any, values: Mapping[str, object]) -> None:
    """Insert unless another process did in this very moment."""
    made: Insert
    if connection.dialect.name == "sqlite":
        made = sqlite.insert(table).values(**values).on_conflict_do_nothing()
    else:
        made = postgresql.insert(table).values(**values).on_conflict_do_nothing()
    connection.execute(made)
