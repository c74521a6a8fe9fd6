"""The newest jobs of one model: how many, how long, how unlike the usual. Bounded, however many there ever were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from node.adapters.database.conclusion_tables import likeness
from node.adapters.database.engine import Database
from node.adapters.database.tables import job

AT_MOST = 1000


@dataclass(frozen=True)
class ModelJob:
    """One job, as far as it says something of its model."""

    id: int
    state: str
    model_version: str
    created_at: datetime
    seconds: Mapping[str, float]  # per stage
    percentile: float | None  # of its likeness; None: not judged
    calibration: str


def newest(database: Database, model: str, since: datetime, most: int = AT_MOST) -> Sequence[ModelJob]:
    """The newest first, none that was created before `since`."""
    mine = (
        select(
            job.c.id, job.c.state, job.c.model_version, job.c.created_at, job.c.seconds,
            likeness.c.percentile, likeness.c.calibration,
        )
        .outerjoin(likeness, likeness.c.job_id == job.c.id)
        .where(job.c.model == model)
        .order_by(job.c.id.desc())
        .limit(most)
    )  # fmt: skip
    with database.reading() as connection:
        rows = connection.execute(mine).all()
    return [
        ModelJob(
            row.id, row.state, row.model_version, row.created_at, row.seconds, row.percentile,
            row.calibration or "",
        )
        for row in rows
        if row.created_at >= since
    ]  # fmt: skip
