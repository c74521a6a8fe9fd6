"""What jobs measured; and what the same model measured on the same patient before, by the rows of one patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import select

from node.adapters.database import routing
from node.adapters.database.engine import Database
from node.adapters.database.tables import job, series
from node.core.states import JobState


@dataclass(frozen=True)
class Measured:
    """The findings of one job."""

    job_id: int
    model_version: str
    volume: str
    study_date: str  # YYYYMMDD; "" where the images do not say
    created_at: datetime
    segments: Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class Whose:
    """Of whom and of what a job's images are. Patient data: masked for who may not see it."""

    patient_name: str
    patient_id: str
    accession_number: str
    study_date: str
    study_description: str
    series_description: str
    modality: str
    series_instance_uid: str
    study_instance_uid: str


def whose(database: Database, job_id: int) -> Whose | None:
    """None when there is no such job."""
    names = [one.name for one in fields(Whose)]
    wanted = (
        select(*(series.c[name] for name in names))
        .join(job, job.c.series_instance_uid == series.c.series_instance_uid)
        .where(job.c.id == job_id)
    )
    with database.reading() as connection:
        row = connection.execute(wanted).first()
        return Whose(**row._mapping) if row else None


def measured(database: Database, job_id: int) -> Measured | None:
    """The findings of one job; None when there is no such job."""
    with database.reading() as connection:
        row = connection.execute(_MEASURED.where(job.c.id == job_id)).first()
        return _read(row) if row else None


def inputs(database: Database, job_id: int) -> Sequence[tuple[str, str]]:
    """(need, SeriesInstanceUID) of a rule that needs several series; () otherwise."""
    with database.reading() as connection:
        return routing.inputs_of(connection, job_id)


def of_the_same_patient(database: Database, job_id: int, most: int) -> list[Measured]:
    """The newest completed jobs of the same model on the same volume of a series, the oldest first, without the job
    itself.

    The same patient: the same PatientID by the same issuer (PS3.3 C.7.1.1); an empty PatientID is nobody's.
    """
    with database.reading() as connection:
        mine = connection.execute(
            select(job.c.model, job.c.volume, series.c.patient_id, series.c.issuer_of_patient_id)
            .join(series, series.c.series_instance_uid == job.c.series_instance_uid)
            .where(job.c.id == job_id)
        ).first()
        if mine is None or not mine.patient_id:
            return []
        theirs = connection.scalars(
            select(series.c.series_instance_uid)
            .where(series.c.patient_id == mine.patient_id, series.c.issuer_of_patient_id == mine.issuer_of_patient_id)
            .order_by(series.c.first_at.desc())
            .limit(_SERIES_AT_MOST)
        ).all()
        # Neither model nor state leads into an index: of both there are far more jobs than of one patient.
        wanted = _MEASURED.where(
            job.c.series_instance_uid.in_(theirs),
            job.c.model + "" == mine.model,
            job.c.volume == mine.volume,
            job.c.state + "" == JobState.COMPLETED,
            job.c.id != job_id,
        )
        rows = connection.execute(wanted).all()
    found = sorted(map(_read, rows), key=lambda one: one.job_id)[-most:]
    return sorted(found, key=lambda one: (one.study_date or f"{one.created_at:%Y%m%d}", one.job_id))


_SERIES_AT_MOST = 2000  # of one patient, the newest, that are looked at


_MEASURED = select(
    job.c.id, job.c.model_version, job.c.volume, job.c.created_at, job.c.segments, series.c.study_date
).join(series, series.c.series_instance_uid == job.c.series_instance_uid)


def _read(row: Any) -> Measured:
    return Measured(row.id, row.model_version, row.volume, row.study_date, row.created_at, row.segments)
