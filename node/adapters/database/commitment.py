"""Storage commitment requests: kept until their report was heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from node.adapters.database.engine import Database
from node.adapters.database.service_tables import commitment
from node.adapters.database.tables import instance, receipt, series
from node.core.ledger import Disposition
from node.core.storage_commitment import Reference, Request

WAITING, REPORTED, GIVEN_UP = "waiting", "reported", "given_up"
_AT_ONCE = 500  # UIDs in one query


@dataclass(frozen=True)
class Open:
    """A request whose report was not heard yet."""

    calling_ae: str
    request: Request
    requested_at: datetime
    attempts: int


@dataclass(frozen=True)
class Stored:
    """What the store has of a referenced instance."""

    sop_class_uid: str
    path: str  # relative to the store
    disputed: bool  # other bytes came under the same UID


def keep(database: Database, calling_ae: str, request: Request, at: datetime) -> None:
    """Keep a request; the same one again is reported again."""
    mine = (commitment.c.calling_ae == calling_ae) & (commitment.c.transaction_uid == request.transaction_uid)
    values = {
        "referenced": [[one.sop_class_uid, one.sop_instance_uid] for one in request.references],
        "requested_at": at,
        "state": WAITING,
        "attempts": 0,
        "next_try_at": at,
        "answer": "",
    }
    with database.transaction() as connection:
        if not connection.execute(update(commitment).where(mine).values(**values)).rowcount:
            row = {"calling_ae": calling_ae, "transaction_uid": request.transaction_uid, **values}
            connection.execute(insert(commitment), row)
        _promise(connection, request)


def next_open(database: Database, now: datetime) -> Open | None:
    """The request whose report is due longest."""
    wanted = (
        select(commitment)
        .where(commitment.c.state == WAITING, commitment.c.next_try_at <= now)
        .order_by(commitment.c.next_try_at)
        .limit(1)
    )
    with database.reading() as connection:
        row = connection.execute(wanted).first()
    if row is None:
        return None
    references = tuple(Reference(sop_class_uid, uid) for sop_class_uid, uid in row.referenced)
    return Open(row.calling_ae, Request(row.transaction_uid, references), row.requested_at, row.attempts)


def note(database: Database, one: Open, state: str, answer: str, next_try_at: datetime | None) -> None:
    """Write what became of an attempt to report. Nothing happens when the same transaction was asked for anew."""
    mine = (
        (commitment.c.calling_ae == one.calling_ae)
        & (commitment.c.transaction_uid == one.request.transaction_uid)
        & (commitment.c.requested_at == one.requested_at)
    )
    with database.transaction() as connection:
        connection.execute(
            update(commitment)
            .where(mine)
            .values(state=state, answer=answer, attempts=one.attempts + 1, next_try_at=next_try_at)
        )
        if state == REPORTED:
            _promise(connection, one.request)


def _promise(connection: Connection, request: Request) -> None:
    """Whoever asked may have no copy any more: what was referenced is never removed."""
    for uids in _portions([one.sop_instance_uid for one in request.references]):
        mine = select(instance.c.series_instance_uid).where(instance.c.sop_instance_uid.in_(uids))
        connection.execute(update(series).where(series.c.series_instance_uid.in_(mine)).values(promised=1))


def stored(database: Database, sop_instance_uids: Sequence[str]) -> dict[str, Stored]:
    """What the store has of these instances. Those it does not have are left out, also where a file is still to go."""
    found: dict[str, Stored] = {}
    with database.reading() as connection:
        for uids in _portions(sop_instance_uids):
            disputed = set(
                connection.scalars(
                    select(receipt.c.sop_instance_uid).where(
                        receipt.c.sop_instance_uid.in_(uids), receipt.c.disposition == Disposition.CONFLICT
                    )
                )
            )
            there = instance.c.sop_instance_uid.in_(uids), instance.c.removed_at.is_(None)
            for row in connection.execute(select(instance).where(*there)):
                uid = row.sop_instance_uid
                found[uid] = Stored(row.sop_class_uid, row.path, uid in disputed)
    return found


def _portions(uids: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(uids), _AT_ONCE):
        yield uids[at : at + _AT_ONCE]
