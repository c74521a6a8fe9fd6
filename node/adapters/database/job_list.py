"""Lists of jobs, newest first, a page at a time: a page begins where the one before ended, whatever came meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Text, cast, or_, select

from node.adapters.database.engine import Database
from node.adapters.database.finding import is_of
from node.adapters.database.tables import job, series
from node.core.jobs import rank
from node.core.states import JobState


@dataclass(frozen=True)
class Wanted:
    """Which jobs; None: whatever they are."""

    state: JobState | None = None
    model: str | None = None
    destination: str | None = None
    priority: str | None = None
    text: str | None = None  # accession number, patient ID or a UID; or how words of the patient's name begin
    by_patient: bool = True  # False: not by the patient's ID or name, for who may not see them


@dataclass(frozen=True)
class Entry:
    """One job, without what its series or its patient is called."""

    id: int
    series_instance_uid: str
    version: int
    state: str
    stage: str | None
    priority: str
    model: str
    model_version: str
    volume: str
    rule: str
    destinations: tuple[str, ...]
    reason: str
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    next_try_at: datetime | None
    deadline_at: datetime | None
    overdue: bool


def page(database: Database, wanted: Wanted, before: int | None, most: int) -> list[Entry]:
    """The newest of these jobs that are older than the job `before`."""
    chosen = select(job).where(*_conditions(wanted)).order_by(job.c.id.desc()).limit(most)
    if before is not None:
        chosen = chosen.where(job.c.id < before)
    with database.reading() as connection:
        rows = connection.execute(chosen).mappings()
        return [
            Entry(
                **{name: row[name] for name in _AS_THEY_ARE},
                destinations=tuple(row["destinations"]),
                overdue=bool(row["overdue"]),
            )
            for row in rows
        ]


_AS_THEY_ARE = tuple(name for name in Entry.__dataclass_fields__ if name not in ("destinations", "overdue"))


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.state is not None:
        yield job.c.state == wanted.state
    if wanted.model is not None:
        yield job.c.model == wanted.model
    if wanted.destination is not None:
        yield cast(job.c.destinations, Text).contains(json.dumps(wanted.destination), autoescape=True)
    if wanted.priority is not None:
        yield job.c.rank == rank(wanted.priority)
    if wanted.text is not None and (text := wanted.text.strip()):
        asked = is_of(text) if wanted.by_patient else or_(*(column == text for column in _NOBODYS))
        yield job.c.series_instance_uid.in_(select(series.c.series_instance_uid).where(asked))


_NOBODYS = (series.c.accession_number, series.c.series_instance_uid, series.c.study_instance_uid)
