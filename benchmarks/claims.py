"""What the claim of the next job costs with a backlog: `python -m benchmarks.claims [JOBS]`."""

from __future__ import annotations

import statistics
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from node.adapters.database import Database, claims, pauses, processes
from node.adapters.database.claims import Claimant
from tests.postgresql import postgresql
from tests.waiting import NOON, emptied, many, wait

LATER = NOON + timedelta(hours=1)
_CLAIMS = 200


def measure(url: str, jobs: int) -> str:
    """Milliseconds: median and 95th percentile."""
    database = emptied(Database(url))
    wait(database, "backlog", model="first")
    many(database, jobs // 2)
    many(database, jobs - jobs // 2, model="paused", priority="stat")
    pauses.pause(database, pauses.MODEL, "paused", "benchmark", LATER)
    processes.arrive(database, "node", LATER)
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE job")
    took = []
    for _ in range(min(_CLAIMS, jobs // 2)):
        begin = perf_counter()
        assert claims.claim(database, LATER, Claimant("node"))
        took.append(1000 * (perf_counter() - begin))
    database.close()
    return f"{statistics.median(took):.2f} ms, 95 % below {statistics.quantiles(took, n=20)[-1]:.2f} ms"


def main(jobs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'node.db'}"
        print(f"SQLite, {jobs} jobs wait: {measure(url, jobs)}")
    with postgresql() as url:
        print(f"PostgreSQL, {jobs} jobs wait: {measure(url, jobs)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
