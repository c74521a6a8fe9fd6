"""What of the audit trail and of the ledger went to the collector, and what has not yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from node.adapters.database.access.tables import exported
from node.adapters.database.engine import Database
from node.adapters.database.tables import instance, job, receipt, series
from node.core.audit.parts import Study
from node.core.audit.transfers import Received
from node.core.audit.xml import SopClass

TRAIL = "audit"
_SUCCESS = 0


@dataclass(frozen=True)
class Reach:
    """How far a look at a chain of the ledger went, and what it saw."""

    chain: str
    number: int
    received: Sequence[Received]


def cursor(database: Database, name: str) -> int | None:
    """The last number that was sent; None: none ever."""
    with database.reading() as connection:
        return connection.scalar(select(exported.c.number).where(exported.c.name == name))


def advance(database: Database, name: str, number: int, now: datetime) -> None:
    """All up to this number was sent. Never goes back."""
    with database.transaction() as connection:
        mine = update(exported).where(exported.c.name == name, exported.c.number <= number)
        if connection.execute(mine.values(number=number, at=now)).rowcount:
            return
        if connection.scalar(select(exported.c.name).where(exported.c.name == name)) is None:
            connection.execute(insert(exported).values(name=name, number=number, at=now))


def chains(database: Database) -> dict[str, int]:
    """Chain of the ledger → its newest number."""
    with database.reading() as connection:
        rows = connection.execute(select(receipt.c.chain, func.max(receipt.c.number)).group_by(receipt.c.chain))
        return {chain: int(number) for chain, number in rows}


def arrived(database: Database, chain: str, beyond: int, before: datetime, most: int) -> Reach:
    """What came after line `beyond`, as far as it is older than `before` and no more than `most` lines."""
    window = (receipt.c.chain == chain) & (receipt.c.number > beyond) & (receipt.c.number <= beyond + most)
    with database.reading() as connection:
        young = select(func.min(receipt.c.number)).where(window, receipt.c.at > before)
        first_young = connection.scalar(young)
        newest = connection.scalar(select(func.max(receipt.c.number)).where(window)) or beyond
        number = min(newest, first_young - 1) if first_young else newest
        if number <= beyond:
            return Reach(chain, beyond, ())
        return Reach(chain, number, _grouped(connection, chain, beyond, number))


def _grouped(connection: Connection, chain: str, beyond: int, number: int) -> list[Received]:
    """One for each association and study."""
    about = (
        receipt.c.association, receipt.c.calling_ae, receipt.c.called_ae, receipt.c.host, receipt.c.study_instance_uid,
    )  # fmt: skip
    wanted = (
        select(*about, receipt.c.sop_class_uid, func.count().label("instances"), func.max(receipt.c.at).label("last"))
        .where(
            receipt.c.chain == chain, receipt.c.number > beyond, receipt.c.number <= number,
            receipt.c.status == _SUCCESS,
        )
        .group_by(*about, receipt.c.sop_class_uid)
        .order_by(func.max(receipt.c.number))
    )  # fmt: skip
    found: dict[tuple[str, ...], list[Row[Any]]] = {}
    for row in connection.execute(wanted):
        found.setdefault(tuple(row[: len(about)]), []).append(row)
    return [
        Received(
            max(row.last for row in rows), association, calling, called, host,
            _study(connection, study, [SopClass(row.sop_class_uid, row.instances) for row in rows]),
        )
        for (association, calling, called, host, study), rows in found.items()
    ]  # fmt: skip


def study_of_job(database: Database, number: int) -> str:
    """Its UID; "" for a job that there is not."""
    wanted = (
        select(series.c.study_instance_uid)
        .join(job, job.c.series_instance_uid == series.c.series_instance_uid)
        .where(job.c.id == number)
    )
    with database.reading() as connection:
        return connection.scalar(wanted) or ""


def study(database: Database, uid: str) -> Study:
    """What is known of a study, for who looked at it."""
    wanted = (
        select(instance.c.sop_class_uid, func.count())
        .where(instance.c.study_instance_uid == uid)
        .group_by(instance.c.sop_class_uid)
    )
    with database.reading() as connection:
        return _study(connection, uid, [SopClass(kind, number) for kind, number in connection.execute(wanted)])


def _study(connection: Connection, uid: str, sop_classes: Sequence[SopClass]) -> Study:
    who = select(series.c.patient_id, series.c.patient_name).where(series.c.study_instance_uid == uid).limit(1)
    row = connection.execute(who).first()
    return Study(uid, row.patient_id if row else "", row.patient_name if row else "", tuple(sop_classes))
