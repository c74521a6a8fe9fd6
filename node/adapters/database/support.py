"""What a support bundle takes out of the database: the latest jobs and series, and what must not leave with them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Connection, select

from node.adapters.database.engine import Database
from node.adapters.database.tables import change, instance, job, series


@dataclass(frozen=True)
class SeriesSample:
    """A series with one of its files."""

    series_instance_uid: str
    state: str
    reason: str
    evidence: str
    instances: int
    transfer_syntax_uid: str
    path: str
    identifying: tuple[str, ...]  # of its patient and study: never to be told


def latest_jobs(database: Database, most: int) -> list[dict[str, object]]:
    """The newest jobs with what happened to them, without what their series is called."""
    names = ("id", "version", "state", "stage", "reason", "rule", "model", "model_version", "priority", "attempts",
             "created_at", "started_at", "finished_at", "seconds", "series_instance_uid")  # fmt: skip
    with database.reading() as connection:
        rows = connection.execute(select(job).order_by(job.c.id.desc()).limit(most)).mappings().all()
        mine = change.c.series_instance_uid.in_({row["series_instance_uid"] for row in rows})
        events = connection.execute(select(change).where(mine).order_by(change.c.id)).all()
    histories: dict[int, list[dict[str, object]]] = {row["id"]: [] for row in rows}
    for event in events:
        if event.job_id in histories:
            told = {"at": event.at, "state": event.state, "stage": event.stage, "reason": event.reason}
            histories[event.job_id].append(told)
    return [{**{name: row[name] for name in names}, "history": histories[row["id"]]} for row in rows]


def latest_series(database: Database, most: int) -> list[SeriesSample]:
    """The newest series, those that something is wrong with among them."""
    wrong = select(job.c.series_instance_uid).where(job.c.state.in_(("failed", "not_processable", "held")))
    latest = (
        select(series.c.series_instance_uid)
        .order_by(series.c.first_at.desc(), series.c.series_instance_uid.desc())
        .limit(most)
    )
    with database.reading() as connection:
        uids = [*connection.scalars(wrong.order_by(job.c.id.desc()).limit(most)), *connection.scalars(latest)]
        return [one for uid in dict.fromkeys(uids) if (one := _sample(connection, uid))][: 2 * most]


def _sample(connection: Connection, uid: str) -> SeriesSample | None:
    row = connection.execute(select(series).where(series.c.series_instance_uid == uid)).first()
    files = connection.execute(
        select(instance.c.path, instance.c.transfer_syntax_uid)
        .where(instance.c.series_instance_uid == uid, instance.c.removed_at.is_(None))
        .limit(2000)
    ).all()
    if row is None:
        return None
    names = [part for text in (row.patient_name, row.search_name) for part in re.split(r"[\s^=]+", text)]
    whole = (row.patient_id, row.patient_name, row.accession_number, row.study_description, row.series_description)
    parts = {*names, *whole}
    return SeriesSample(
        uid, row.state, row.reason, row.evidence, len(files), files[0].transfer_syntax_uid if files else "",
        files[0].path if files else "", tuple(sorted(part for part in parts if part)),
    )  # fmt: skip
