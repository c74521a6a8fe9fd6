"""What there is to be indexed: receipts and results of the node's database, each in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from node.adapters.database.chains import names
from node.adapters.database.engine import Database
from node.adapters.database.removal_tables import removal
from node.adapters.database.removals import Gone
from node.adapters.database.tables import instance, job, receipt, result
from node.core.ledger import Disposition

_KEPT = (Disposition.STORED.value, Disposition.DUPLICATE.value, Disposition.CORRECTED.value)
_LOOK_BACK = 100  # results of PostgreSQL may be committed in another order than that of their numbers


@dataclass(frozen=True)
class Waiting:
    """A file that may have to be indexed."""

    number: int  # in its source
    path: str
    sha256: str
    size: int
    uids: tuple[str, str, str, str]  # SOP class, SOP instance, series, study; the study's is "" where the file says it
    job_id: int = 0


def chains(database: Database) -> list[str]:
    """The chains of the ledger."""
    with database.reading() as connection:
        return names(connection)


def newest(database: Database, chain: str) -> int:
    """The number of the last line of a chain; 0 where there is none."""
    with database.reading() as connection:
        return connection.scalar(select(func.max(receipt.c.number)).where(receipt.c.chain == chain)) or 0


def receipts(
    database: Database, chain: str, after: int, limit: int, before: datetime | None = None
) -> tuple[int, list[Waiting]]:
    """(number of the last line read, what it and those before it stored). `before`: nothing that came later."""
    wanted = (
        select(
            instance.c.removed_at, instance.c.path.label("in_use"),
            receipt.c.number, receipt.c.disposition, receipt.c.path, receipt.c.sha256, receipt.c.size,
            receipt.c.sop_class_uid, receipt.c.sop_instance_uid, receipt.c.series_instance_uid,
            receipt.c.study_instance_uid,
        )
        .outerjoin(instance, instance.c.sop_instance_uid == receipt.c.sop_instance_uid)
        .where(receipt.c.chain == chain, receipt.c.number > after)
        .order_by(receipt.c.number)
        .limit(limit)
    )  # fmt: skip
    if before is not None:
        wanted = wanted.where(receipt.c.at < before)
    with database.reading() as connection:
        rows = connection.execute(wanted).all()
    # A duplicate that was kept all the same came again after its bytes were removed; the file before it is gone.
    kept = [row for row in rows if row.disposition in _KEPT and row.path and row.removed_at is None]
    stored = [row for row in kept if row.path == row.in_use]
    last = rows[-1].number if rows else after
    return last, [
        Waiting(
            row.number,
            row.path,
            row.sha256,
            row.size,
            (row.sop_class_uid, row.sop_instance_uid, row.series_instance_uid, row.study_instance_uid),
        )
        for row in stored
    ]


def results(database: Database, after: int, limit: int) -> tuple[int, list[Waiting]]:
    """(number of the last one read, results that the node made and that are there), some of them seen before."""
    wanted = select(result).where(result.c.id > after - _LOOK_BACK).order_by(result.c.id).limit(limit + _LOOK_BACK)
    with database.reading() as connection:
        rows = connection.execute(wanted).all()
    return rows[-1].id if rows else after, [
        Waiting(
            row.id,
            row.path,
            row.sha256,
            row.size,
            (row.sop_class_uid, row.sop_instance_uid, row.series_instance_uid, ""),
            row.job_id,
        )
        for row in rows
        if row.removed_at is None
    ]


def removed(database: Database, after: int, most: int) -> tuple[int, list[Gone], list[Waiting]]:
    """(number of the last removal read, what has no bytes since it and those before it, what of that came again).

    What came again meanwhile is not gone under the name of its new file; the file before it is.
    """
    wanted = select(removal).where(removal.c.number > after).order_by(removal.c.number).limit(most)
    with database.reading() as connection:
        rows = connection.execute(wanted).all()
        if not rows:
            return after, [], []
        whole = {row.series_instance_uid for row in rows if not row.sop_instance_uid}
        alone = {row.sop_instance_uid for row in rows if row.sop_instance_uid}
        came = [
            *connection.execute(_FILES.where(receipt.c.series_instance_uid.in_(whole))),
            *connection.execute(_FILES.where(receipt.c.sop_instance_uid.in_(alone))),
        ]
        made = [
            *connection.execute(_MADE.where(job.c.series_instance_uid.in_(whole))),
            *connection.execute(_MADE.where(result.c.sop_instance_uid.in_(alone))),
        ]
    gone = [Gone("instances", row.sop_instance_uid, row.old) for row in came]
    gone += [Gone("results", row.sop_instance_uid, row.path) for row in made]
    again = {row.sop_instance_uid: row for row in came if row.study_instance_uid and row.removed_at is None}
    return rows[-1].number, gone, [_again(row) for row in again.values()]


_FILES = (
    select(
        receipt.c.sop_instance_uid, receipt.c.path.label("old"),
        instance.c.removed_at, instance.c.path, instance.c.sha256, instance.c.size,
        instance.c.sop_class_uid, instance.c.series_instance_uid, instance.c.study_instance_uid,
    )
    .outerjoin(instance, instance.c.sop_instance_uid == receipt.c.sop_instance_uid)
    .where(
        receipt.c.disposition.in_(_KEPT),
        receipt.c.path != "",
        or_(instance.c.path.is_(None), instance.c.path != receipt.c.path, instance.c.removed_at.is_not(None)),
    )
)  # fmt: skip
_MADE = (
    select(result.c.sop_instance_uid, result.c.path)
    .join(job, job.c.id == result.c.job_id)
    .where(result.c.removed_at.is_not(None))
)


def _again(row: Any) -> Waiting:
    uids = (row.sop_class_uid, row.sop_instance_uid, row.series_instance_uid, row.study_instance_uid)
    return Waiting(0, row.path, row.sha256, row.size, uids)


def superseded(database: Database, jobs: Sequence[int]) -> set[str]:
    """Series of results that the results of these jobs replace, or that replace them."""
    old, new = result.alias("old"), result.alias("new")
    replaced = (
        select(old.c.series_instance_uid)
        .join(job, job.c.supersedes == old.c.job_id)
        .join(new, new.c.job_id == job.c.id)
        .where(job.c.supersedes.is_not(None), old.c.series_instance_uid != new.c.series_instance_uid)
    )
    with database.reading() as connection:  # one after the other: of both at once no index knows
        return {
            uid for mine in (job.c.id, job.c.supersedes) for uid in connection.scalars(replaced.where(mine.in_(jobs)))
        }
