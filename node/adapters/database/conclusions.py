"""What models found on series: kept by jobs, read by the rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from node.adapters.database.conclusion_tables import conclusion, likeness, shown
from node.adapters.database.engine import Database
from node.adapters.database.tables import job, series
from node.core.jobs import Job
from node.core.ood import Oddity
from node.core.states import JobState

OOD = "ood"  # the name under which a percentile stands; no question may be called so


@dataclass(frozen=True)
class Found:
    """One value that a model found."""

    name: str
    value: str
    probability: float


@dataclass(frozen=True)
class Shown:
    """What of a job's volume was shown to its model."""

    slices: int
    blank: int
    encoder: str


def keep(database: Database, claimed: Job, found: Sequence[Found], now: datetime) -> bool:
    """Take the place of what the model found on this version of the series before. False when the job is another's."""
    mine = (
        (conclusion.c.series_instance_uid == claimed.series_instance_uid)
        & (conclusion.c.version == claimed.version)
        & (conclusion.c.model == claimed.model)
    )
    rows = [
        {
            "series_instance_uid": claimed.series_instance_uid,
            "version": claimed.version,
            "model": claimed.model,
            "name": one.name,
            "value": one.value,
            "probability": one.probability,
            "job_id": claimed.id,
            "at": now,
        }
        for one in found
    ]
    with database.transaction() as connection:
        _one_after_the_other(connection, claimed)
        if not _still_claimed(connection, claimed):
            return False
        connection.execute(delete(conclusion).where(mine))
        if rows:
            connection.execute(insert(conclusion), rows)
    return True


def _one_after_the_other(connection: Connection, claimed: Job) -> None:
    """Two jobs of one model, on two volumes of a series, may find something at the same moment."""
    of_it = series.c.series_instance_uid == claimed.series_instance_uid
    connection.execute(select(series.c.version).where(of_it).with_for_update())


def _still_claimed(connection: Connection, claimed: Job) -> bool:
    mine = (job.c.id == claimed.id) & (job.c.claim == claimed.claim) & (job.c.state == JobState.IN_PROGRESS)
    return connection.execute(select(job.c.id).where(mine).with_for_update()).first() is not None


def keep_oddity(database: Database, claimed: Job, oddity: Oddity, now: datetime) -> bool:
    """Note how unlike the usual ones a job's volume is to its model. False when the job is another's."""
    row = {"job_id": claimed.id, "score": oddity.score, "percentile": oddity.percentile}
    with database.transaction() as connection:
        if not _still_claimed(connection, claimed):
            return False
        connection.execute(delete(likeness).where(likeness.c.job_id == claimed.id))
        connection.execute(insert(likeness), row | {"calibration": oddity.calibration, "at": now})
    return True


def oddity_of(database: Database, job_id: int) -> Oddity | None:
    """What `keep_oddity` kept for a job; None where its model has no calibration."""
    with database.reading() as connection:
        return oddity_in(connection, job_id)


def oddity_in(connection: Connection, job_id: int) -> Oddity | None:
    """As `oddity_of`, within a transaction."""
    row = connection.execute(select(likeness).where(likeness.c.job_id == job_id)).first()
    return Oddity(row.score, row.percentile, row.calibration) if row else None


def found(database: Database, series_instance_uid: str, version: int) -> Mapping[str, Mapping[str, str | float]]:
    """Model → name → value, of this version of the series.

    Under the name "ood" stands a percentile, a number: of several volumes that of the most unusual one.
    """
    mine = (conclusion.c.series_instance_uid == series_instance_uid) & (conclusion.c.version == version)
    judged = (
        select(job.c.model, func.max(likeness.c.percentile).label("percentile"))
        .join(job, likeness.c.job_id == job.c.id)
        .where(job.c.series_instance_uid == series_instance_uid, job.c.version == version)
        .group_by(job.c.model)
    )
    made: dict[str, dict[str, str | float]] = defaultdict(dict)
    with database.reading() as connection:
        for row in connection.execute(select(conclusion).where(mine)):
            made[row.model][row.name] = row.value
        for row in connection.execute(judged):
            made[row.model][OOD] = row.percentile
    return dict(made)


def note_shown(database: Database, job_id: int, what: Shown) -> None:
    """Once for a job: a second attempt says the same."""
    row = {"job_id": job_id, "slices": what.slices, "blank": what.blank, "encoder": what.encoder}
    with database.transaction() as connection:
        connection.execute(delete(shown).where(shown.c.job_id == job_id))
        connection.execute(insert(shown), row)


def was_shown(database: Database, job_id: int) -> Shown | None:
    """None for a job whose model was not asked yet."""
    with database.reading() as connection:
        row = connection.execute(select(shown).where(shown.c.job_id == job_id)).first()
        return Shown(row.slices, row.blank, row.encoder) if row else None
