"""Trials of drafts over what was kept: how far they are, and what they found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from node.adapters.database.engine import Database
from node.adapters.database.rule_tables import simulation
from node.adapters.database.tables import job, series
from node.core.states import JobState
from node.errors import NoSuch

RUNNING, DONE, FAILED = "running", "done", "failed"
ABANDONED = "the process that ran it ended: begin it again"
_AT_ONCE = 400  # UIDs in one statement
_MEASURED_AT_MOST = 2000  # jobs, the newest


@dataclass(frozen=True)
class Simulation:
    """A trial of a rule set."""

    id: int
    at: datetime
    author: str
    version: str
    base: str
    days: int
    state: str
    process: str  # that runs it; "": a command at the shell
    done: int
    total: int
    result: Mapping[str, object] | None


def begin(database: Database, version: str, base: str, days: int, *, author: str, process: str, now: datetime) -> int:
    """Write down that a trial runs: its number."""
    row = {"at": now, "author": author, "version": version, "base": base, "days": days, "state": RUNNING,
           "process": process, "done": 0, "total": 0}  # fmt: skip
    with database.transaction() as connection:
        key = connection.execute(insert(simulation).values(row)).inserted_primary_key
    return int(key[0]) if key else 0


def note_progress(database: Database, simulation_id: int, done: int, total: int) -> None:
    with database.transaction() as connection:
        mine = update(simulation).where(simulation.c.id == simulation_id)
        connection.execute(mine.values(done=done, total=total))


def finish(database: Database, simulation_id: int, state: str, result: Mapping[str, object]) -> None:
    with database.transaction() as connection:
        mine = update(simulation).where(simulation.c.id == simulation_id)
        connection.execute(mine.values(state=state, result=dict(result)))


def abandon(database: Database, process: str) -> int:
    """Those that a process had running when it ended can tell nothing any more; how many there were."""
    mine = (simulation.c.process == process) & (simulation.c.state == RUNNING)
    with database.transaction() as connection:
        ended = update(simulation).where(mine).values(state=FAILED, result={"reason": ABANDONED})
        return connection.execute(ended).rowcount


def get(database: Database, simulation_id: int) -> Simulation:
    """Raises NoSuch."""
    with database.reading() as connection:
        row = connection.execute(select(simulation).where(simulation.c.id == simulation_id)).first()
    if row is None:
        raise NoSuch(f"there is no simulation {simulation_id}")
    return _simulation(row)


def last_of(database: Database, version: str, base: str) -> Simulation | None:
    """The newest finished trial of a version beside another."""
    alike = (simulation.c.version == version) & (simulation.c.base == base) & (simulation.c.state == DONE)
    with database.reading() as connection:
        row = connection.execute(select(simulation).where(alike).order_by(simulation.c.id.desc()).limit(1)).first()
    return _simulation(row) if row else None


def descriptions(database: Database, uids: Sequence[str]) -> dict[str, str]:
    """SeriesInstanceUID → SeriesDescription, of those that the node still knows."""
    found: dict[str, str] = {}
    with database.reading() as connection:
        for at in range(0, len(uids), _AT_ONCE):
            these = series.c.series_instance_uid.in_(uids[at : at + _AT_ONCE])
            rows = connection.execute(select(series.c.series_instance_uid, series.c.series_description).where(these))
            found.update((row.series_instance_uid, row.series_description) for row in rows)
    return found


def measured_seconds(database: Database) -> dict[str, float]:
    """Model → what an inference took in the newest completed jobs, on average."""
    wanted = (
        select(job.c.model, job.c.seconds)
        .where(job.c.state == JobState.COMPLETED)
        .order_by(job.c.id.desc())
        .limit(_MEASURED_AT_MOST)
    )
    found: dict[str, list[float]] = defaultdict(list)
    with database.reading() as connection:
        for row in connection.execute(wanted):
            seconds = (row.seconds or {}).get("infer")
            if isinstance(seconds, int | float):
                found[row.model].append(float(seconds))
    return {model: sum(values) / len(values) for model, values in found.items()}


def _simulation(row: Row[Any]) -> Simulation:
    return Simulation(
        row.id,
        row.at,
        row.author,
        row.version,
        row.base,
        row.days,
        row.state,
        row.process,
        row.done,
        row.total,
        row.result,
    )
