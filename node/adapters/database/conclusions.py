"""What models found on series: kept by jobs, read by the rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from node.adapters.database.conclusion_tables import conclusion, shown
from node.adapters.database.engine import Database
from node.adapters.database.tables import job
from node.core.jobs import Job
from node.core.ood import Oddity
from node.core.states import JobState

OOD = "ood"  # the name under which a percentile stands, its score as the probability; no question may be called so


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
        & (conclusion.c.name != OOD)
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
    still = (job.c.id == claimed.id) & (job.c.claim == claimed.claim) & (job.c.state == JobState.IN_PROGRESS)
    with database.transaction() as connection:
        if connection.execute(select(job.c.id).where(still).with_for_update()).first() is None:
            return False
        connection.execute(delete(conclusion).where(mine))
        if rows:
            connection.execute(insert(conclusion), rows)
    return True


def keep_oddity(database: Database, claimed: Job, oddity: Oddity, now: datetime) -> None:
    """Take the place of how unlike the usual ones this version of the series was to the model before."""
    key = {
        "series_instance_uid": claimed.series_instance_uid,
        "version": claimed.version,
        "model": claimed.model,
        "name": OOD,
    }
    row = {"value": f"{oddity.percentile:g}", "probability": oddity.score, "job_id": claimed.id, "at": now}
    with database.transaction() as connection:
        connection.execute(delete(conclusion).where(*(conclusion.c[name] == value for name, value in key.items())))
        connection.execute(insert(conclusion), key | row)


def oddity_of(database: Database, job_id: int) -> Oddity | None:
    """What `keep_oddity` kept for a job; None where its model has no calibration."""
    mine = (conclusion.c.job_id == job_id) & (conclusion.c.name == OOD)
    with database.reading() as connection:
        row = connection.execute(select(conclusion).where(mine)).first()
        return Oddity(row.probability, float(row.value)) if row else None


def found(database: Database, series_instance_uid: str, version: int) -> Mapping[str, Mapping[str, str | float]]:
    """Model → name → value, of this version of the series; under the name "ood" the percentile, a number."""
    mine = (conclusion.c.series_instance_uid == series_instance_uid) & (conclusion.c.version == version)
    made: dict[str, dict[str, str | float]] = defaultdict(dict)
    with database.reading() as connection:
        for row in connection.execute(select(conclusion).where(mine)):
            made[row.model][row.name] = float(row.value) if row.name == OOD else row.value
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
