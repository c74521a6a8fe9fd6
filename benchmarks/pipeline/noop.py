"""Jobs of no work: a claim, a hand-over to the lane of the destination, a second claim and the end, as rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, sleep
from typing import cast

from sqlalchemy import func, select

from node.adapters.database import Database, processes
from node.adapters.database.claims import Claimant
from node.adapters.database.tables import job
from node.core.jobs import Job, Limits
from node.logs import configure
from node.pipeline.work import Work
from node.worker import Worker
from tests.postgresql import postgresql
from tests.waiting import emptied, many, wait

_WORKERS = (1, 2, 4)


class NoWork:
    """Makes nothing and delivers nothing."""

    def make(self, _job: Job) -> None: ...

    def deliver(self, _job: Job) -> str:
        return "delivered"


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 # the benchmark's own clock


def measure(url: str, workers: int, jobs: int, claimant: Callable[[], Claimant]) -> float:
    """Jobs a second."""
    database = emptied(Database(url))
    wait(database, "backlog", at=now())
    many(database, jobs, at=now())
    processes.arrive(database, "node", now())
    loops = [Worker(f"worker {number}", database, cast("Work", NoWork()), now, claimant()) for number in range(workers)]
    begin = perf_counter()
    for loop in loops:
        loop.start()
    while _left(database):
        sleep(0.02)
    took = perf_counter() - begin
    for loop in loops:
        loop.stop(5)
    database.close()
    return jobs / took


def _left(database: Database) -> int:
    with database.reading() as connection:
        left: int = connection.scalar(select(func.count()).where(job.c.state.in_(("scheduled", "in_progress")))) or 0
        return left


def main(jobs: int = 500) -> None:
    configure(verbose=False)
    whole: Callable[[], Claimant] = lambda: Claimant("node", limits=Limits())  # noqa: E731
    with tempfile.TemporaryDirectory() as folder, postgresql() as url:
        for name, where in (("SQLite", f"sqlite:///{Path(folder) / 'node.db'}"), ("PostgreSQL", url)):
            rates = ", ".join(f"{workers}: {measure(where, workers, jobs, whole):.0f}" for workers in _WORKERS)
            print(f"{name}: jobs a second by workers: {rates}")
