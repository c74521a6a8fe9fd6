"""The same figures of the same patient before, structure by structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from node.adapters.database import Database
from node.adapters.database.findings import Measured, measured, of_the_same_patient
from node.errors import NoSuch

MOST = 50  # earlier jobs that are looked at
FIGURES: Mapping[str, str] = {"volume_ml": "ml", "diameter_mm": "mm", "mean": "", "sd": ""}  # their units


@dataclass(frozen=True)
class Earlier:
    """One value, of one job."""

    job_id: int
    study_date: str  # YYYYMMDD; "" where the images do not say, or for who may not see patients
    created_at: datetime
    model_version: str
    value: float


@dataclass(frozen=True)
class Trace:
    """One figure of one structure over time, the oldest first; the job's own value is the last."""

    segment: int
    label: str
    figure: str  # volume_ml, diameter_mm, mean, sd
    unit: str  # "": none
    values: tuple[Earlier, ...]


def earlier(database: Database, job_id: int, *, hides_patients: bool = False) -> list[Trace]:
    """For every figure that the job has. Raises NoSuch, StoreUnavailable."""
    own = measured(database, job_id) if 0 < job_id < 2**31 else None
    if own is None:
        raise NoSuch(f"there is no job {job_id}: see `mricore-node jobs list`")
    every = [*of_the_same_patient(database, job_id, MOST), own]
    traces = []
    for segment in own.segments:
        for figure, unit in FIGURES.items():
            values = tuple(
                Earlier(one.job_id, "" if hides_patients else one.study_date, one.created_at, one.model_version, value)
                for one in every
                if (value := _value(one, segment["label"], figure)) is not None
            )
            if values and values[-1].job_id == job_id:
                number = segment.get("number")
                traces.append(
                    Trace(number if isinstance(number, int) else 0, str(segment["label"]), figure, unit, values)
                )
    return traces


def _value(of: Measured, label: object, figure: str) -> float | None:
    """By the structure's label: numbers may change from one version of a model to the next."""
    for segment in of.segments:
        value = segment.get(figure)
        if segment.get("label") == label and isinstance(value, int | float):
            return float(value)
    return None
