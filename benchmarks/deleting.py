"""A large study is deleted over DICOMweb while somebody sends: how long the reception's commit takes meanwhile.

    python -m benchmarks.deleting                       3000 series of 100 instances, on SQLite

Rows only: no file is there, and the index is empty, since neither is what the reception waits for.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from node.adapters.database import Database
from node.adapters.database.erasing import Asked
from node.adapters.database.index import Index
from node.adapters.database.ledger import Ledger
from node.pipeline.archive.erasing import Erasing
from tests.waiting import arrival

_STUDY = "1.2.826.0.1.3680043.8.498.1"
_EVERY_S = 0.01  # somebody's next instance


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--series", type=int, default=3000)
    options.add_argument("--instances", type=int, default=100, help="of each series")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="deleting-") as folder:
        database, index = Database(f"sqlite:///{folder}/node.db"), Index(f"sqlite:///{folder}/index.db")
        database.migrate()
        index.migrate()
        _fill(Path(folder) / "node.db", chosen.series, chosen.instances)
        ledger = Ledger(database, "BENCH", timedelta(seconds=5))
        print(f"{'':<24}{'commits':>8}{'p50 ms':>8}{'p95 ms':>8}{'longest ms':>11}")
        _tell("nothing beside it", list(_commits(ledger, threading.Event(), 300)))
        done = threading.Event()
        deleting = threading.Thread(target=_delete, args=(Erasing(database, index, _drop, _drop, _now), done))
        deleting.start()
        _tell("beside the deletion", list(_commits(ledger, done)))
        deleting.join()
        ledger.close()
        index.close()
        database.close()


def _delete(erasing: Erasing, done: threading.Event) -> None:
    """As often as a client asks again that is told how much is left."""
    begin, requests, series = time.perf_counter(), 0, 0
    try:
        while True:
            found = erasing.erase(Asked(_STUDY, "", "", "anna", ""))
            requests, series = requests + 1, series + found.series
            if found.series == found.of:
                break
    finally:
        done.set()
    took = time.perf_counter() - begin
    print(f"{series} series deleted in {took:.1f} s, {requests} requests")


def _commits(ledger: Ledger, done: threading.Event, most: int | None = None) -> Iterator[float]:
    """How long each took, in seconds."""
    number = 0
    while not done.is_set() and number != most:
        number += 1
        begin = time.perf_counter()
        ledger.record([arrival(f"1.9.{time.time_ns()}", _now())])
        yield time.perf_counter() - begin
        time.sleep(_EVERY_S)


def _fill(path: Path, series: int, instances: int) -> None:
    """One study whose series no rule takes: it may go."""
    with sqlite3.connect(path) as connection:
        for statement in _STATEMENTS:
            told = {"series": series, "instances": instances, "study": _STUDY, "at": "2026-01-05 12:00:00.000000"}
            connection.execute(f"{_EACH}\nINSERT INTO {statement}", told)
    connection.close()


_EACH = """
WITH RECURSIVE one(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM one WHERE n + 1 < :series),
each(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM each WHERE i + 1 < :instances)"""
_STATEMENTS = (
    """series (series_instance_uid, study_instance_uid, state, reason, version, channel, calling_ae, called_ae, host,
       first_at, last_at, completed_at, evidence, modality, series_description, patient_id, issuer_of_patient_id,
       patient_name, search_name, accession_number, study_date, study_description, promised)
       SELECT '1.2.3.' || n, :study, 'filtered', '', 1, 'dicom', 'SCANNER', 'BENCH', '192.0.2.1', :at, :at, :at, '',
       'MR', '', '', '', '', '', '', '', '', 0 FROM one""",
    """instance (sop_instance_uid, sop_class_uid, series_instance_uid, study_instance_uid, transfer_syntax_uid, sha256,
       size, path, received_at)
       SELECT '1.2.3.' || n || '.' || i, '1.2.840.10008.5.1.4.1.1.4', '1.2.3.' || n, :study, '1.2.840.10008.1.2.1',
       hex(randomblob(32)), 100000, '20260105/12/' || hex(randomblob(32)), :at FROM one, each""",
)


def _drop(_path: str) -> None:
    """No file is there."""


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 # the benchmark's own clock


def _tell(what: str, seconds: list[float]) -> None:
    p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    print(f"{what:<24}{len(seconds):>8}{p50 * 1e3:>8.1f}{p95 * 1e3:>8.1f}{max(seconds) * 1e3:>11.1f}", flush=True)


if __name__ == "__main__":
    main()
