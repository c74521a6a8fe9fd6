"""What a destination said to several results: their rows, and what the audit trail tells of it, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select, update

from node.adapters.database import audit
from node.adapters.database.engine import Database
from node.adapters.database.jobs import storable
from node.adapters.database.tables import delivery, job, result, series
from node.core.audit import What
from node.core.audit.transfers import Transfer
from node.core.jobs import Delivery
from node.core.states import DeliveryState


@dataclass(frozen=True)
class Went:
    """What was tried to be sent, and what became of it."""

    transfer: Transfer  # where to
    taken: Collection[Delivery]
    refused: Collection[Delivery]  # for good


def note(
    database: Database,
    said: Mapping[Delivery, tuple[DeliveryState, str]],
    now: datetime,
    went: Went | None = None,
) -> None:
    """`said`: the state and the answer of each delivery. `went`: what the trail is told; None: nothing."""
    with database.transaction() as connection:
        for one, (state, answer) in said.items():
            values = {"state": state, "answer": storable(answer), "attempts": delivery.c.attempts + 1, "at": now}
            connection.execute(update(delivery).where(delivery.c.id == one.id).values(**values))
        if went:
            for what, ok, reason in ((went.taken, True, ""), (went.refused, False, "the destination refused it")):
                for on, transfer in _transfers(connection, went.transfer, what):
                    audit.note(connection, now, What.DELIVERED, on, after=transfer.text(), reason=reason, ok=ok)


def _transfers(connection: Connection, to: Transfer, what: Collection[Delivery]) -> Iterator[tuple[str, Transfer]]:
    if not what:
        return
    made = (
        select(job.c.id, series.c.study_instance_uid, result.c.sop_class_uid)
        .join(result, delivery.c.result_id == result.c.id)
        .join(job, result.c.job_id == job.c.id)
        .join(series, job.c.series_instance_uid == series.c.series_instance_uid)
        .where(delivery.c.id.in_([one.id for one in what]))
    )
    counted: dict[tuple[int, str], Counter[str]] = {}
    for row in connection.execute(made):
        counted.setdefault((row.id, row.study_instance_uid), Counter())[row.sop_class_uid] += 1
    for (number, study), sop_classes in counted.items():
        yield f"study {study}", replace(to, sop_classes=sop_classes, job=number)
