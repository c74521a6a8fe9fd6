"""Lists of jobs, newest first, a page at a time: a page begins where the one before ended, whatever came meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, Text, cast, func, select

from node.adapters.database.engine import Database
from node.adapters.database.finding import of
from node.adapters.database.tables import job
from node.core.jobs import rank
from node.core.states import JobState

LOOKED_THROUGH = 50_000  # jobs, for one page


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


@dataclass(frozen=True)
class Page:
    """Jobs, newest first."""

    jobs: Sequence[Entry]
    before: int | None  # where the next page begins; None: this was the last


def page(database: Database, wanted: Wanted, before: int | None, most: int) -> Page:
    """The newest of these jobs that are older than the job `before`.

    Where no index finds them a page may be short, or empty, because so many jobs were looked through for it.
    """
    with database.reading() as connection:
        chosen = select(job).where(*_conditions(connection, wanted)).order_by(job.c.id.desc()).limit(most + 1)
        if before is not None:
            chosen = chosen.where(job.c.id < before)
        floor = 0
        if wanted.destination is not None or wanted.priority is not None:
            newest = (before - 1) if before is not None else connection.scalar(select(func.max(job.c.id))) or 0
            floor = max(0, newest - LOOKED_THROUGH)
            chosen = chosen.where(job.c.id > floor)
        found = [_entry(row) for row in connection.execute(chosen).mappings()]
    if len(found) > most:
        return Page(found[:most], found[most - 1].id)
    return Page(found, floor + 1 if floor else None)


def _entry(row: RowMapping) -> Entry:
    as_they_are = {name: row[name] for name in _AS_THEY_ARE}
    return Entry(**as_they_are, destinations=tuple(row["destinations"]), overdue=bool(row["overdue"]))


_AS_THEY_ARE = tuple(name for name in Entry.__dataclass_fields__ if name not in ("destinations", "overdue"))


def _conditions(connection: Connection, wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.state is not None:
        yield job.c.state == wanted.state
    if wanted.model is not None:
        yield job.c.model == wanted.model
    if wanted.destination is not None:
        yield cast(job.c.destinations, Text).contains(json.dumps(wanted.destination), autoescape=True)
    if wanted.priority is not None:
        yield job.c.rank == rank(wanted.priority)
    if wanted.text is not None and (text := wanted.text.strip()):
        yield of(connection, job.c.series_instance_uid, text, patients=wanted.by_patient)
