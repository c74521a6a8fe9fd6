"""A form of a result that a destination refuses: another one goes in its place, and the job's history says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, select, update

from node.adapters.database.engine import Database
from node.adapters.database.jobs import note_change
from node.adapters.database.tables import delivery, job, result
from node.core.states import DeliveryState


def send_in_place(database: Database, job_id: int, in_place: Mapping[str, str], now: datetime) -> int:
    """For every refused delivery of a kind in `in_place`, have the kind that it names delivered; how many there were.

    A kind that the job did not make is not sent, and the refusal stands.
    """
    refused = (
        select(delivery.c.id, delivery.c.destination, delivery.c.answer, result.c.kind)
        .join(result, delivery.c.result_id == result.c.id)
        .where(
            result.c.job_id == job_id, delivery.c.state == DeliveryState.REFUSED, result.c.kind.in_([*in_place.keys()])
        )
    )
    replaced = 0
    with database.transaction() as connection:
        made = select(result.c.kind, result.c.id).where(result.c.job_id == job_id)
        ids = {row.kind: row.id for row in connection.execute(made)}
        state = connection.scalar(select(job.c.state).where(job.c.id == job_id))
        for row in connection.execute(refused).all():
            instead = in_place[row.kind]
            if instead not in ids:
                continue
            mine = (delivery.c.result_id == ids[instead], delivery.c.destination == row.destination)
            if connection.execute(select(delivery.c.id).where(*mine)).first():
                connection.execute(delete(delivery).where(delivery.c.id == row.id))
            else:
                values = {"result_id": ids[instead], "state": DeliveryState.WAITING, "attempts": 0, "answer": ""}
                connection.execute(update(delivery).where(delivery.c.id == row.id).values(values))
            reason = f"{row.destination} takes no {row.kind} ({row.answer}): it gets the {instead}"
            note_change(connection, job_id, "worker", str(state), reason, now)
            replaced += 1
    return replaced
