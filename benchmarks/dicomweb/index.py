"""Searches over 100 000 studies, and over 1 000 000 series while instances come in, through a whole node.

The index is filled without files; what comes in meanwhile is received, forced and indexed as ever. Shown are median,
95th percentile and worst of each search. The database files of --kept are used again, which saves minutes.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.dicomweb.client import Connection
from benchmarks.dicomweb.filled import fill, study_uid
from benchmarks.dicomweb.servers import Server, node
from node.adapters.database.index import Index
from tests.synthetic import Grid, mr_series, to_bytes

_STUDIES = 100_000
_EACH = 60  # times that each search is asked


def _searches(number: int) -> dict[str, str]:
    """What is asked, another one each time: by a name for the table."""
    uid = study_uid(number)
    return {
        "first page of all studies": "studies?limit=101&offset=0&includefield=00081030,00080060,00080090,00100030",
        "studies by PatientID": f"studies?PatientID=P{number}",
        "a study by its UID": f"studies?StudyInstanceUID={uid}",
        "studies by *name*": f"studies?PatientName=*amily{number % 5000}^*&limit=101",
        "studies by a name that nobody has": f"studies?PatientName=*zzz{number}*",
        "studies by fuzzy name": f"studies?PatientName=family{number % 5000} given&fuzzymatching=true&limit=101",
        "studies of two months": f"studies?StudyDate=20{number % 25:02d}0101-20{number % 25:02d}0301&limit=101",
        "studies with CT": "studies?ModalitiesInStudy=CT&limit=101",
        "series of a study": f"studies/{uid}/series",
        "series by modality, of all studies": "series?Modality=MR&limit=101",
        "instances of a series": f"studies/{uid}/series/{uid}.0/instances",
    }


def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--quick", action="store_true")
    reading.add_argument("--kept", type=Path, help="a folder for filled indexes")
    asked = reading.parse_args()
    studies = 5000 if asked.quick else _STUDIES
    for series_each, receiving in ((1, False), (10, True)):
        with tempfile.TemporaryDirectory(prefix="dicomweb-index-") as named:
            folder = Path(named)
            _fill(folder / "node" / "index.db", studies, series_each, asked.kept)
            with node(folder) as server:
                _table(server, studies, series_each, receiving)


def _fill(path: Path, studies: int, series_each: int, kept: Path | None) -> None:
    path.parent.mkdir(parents=True)
    old = kept / f"{studies}-{series_each}.db" if kept else None
    if old and old.exists():
        shutil.copy(old, path)
        return
    index = Index(f"sqlite:///{path}")
    index.migrate()
    fill(index, studies, series_each)
    index.close()
    if old:
        old.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, old)


def _table(server: Server, studies: int, series_each: int, receiving: bool) -> None:
    while_what = "while instances come in" if receiving else "nothing comes in"
    print(f"\n{studies} studies, {studies * series_each} series, {while_what}")
    with _received(server, receiving) as counted:
        begin = time.perf_counter()
        took = _ask_all(server, studies)
        seconds = time.perf_counter() - begin
        if receiving:
            print(f"received meanwhile: {counted[0] / seconds:.0f} instances of 256² a second")
    print(f"{'':36}{'median':>9}{'p95':>9}{'worst':>9}  ms")
    every: list[float] = []
    for name, each in took.items():
        every += each
        _row(name, each)
    _row("all of them", every)


def _row(name: str, each: Sequence[float]) -> None:
    ordered = sorted(one * 1000 for one in each)
    at = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)], ordered[-1]
    print(f"{name:36}" + "".join(f"{one:9.1f}" for one in at))


def _ask_all(server: Server, studies: int) -> dict[str, list[float]]:
    mine = Connection(server.port)
    took: dict[str, list[float]] = {}
    for turn in range(_EACH + 1):
        for name, path in _searches(turn * 1237 % studies).items():
            begin = time.perf_counter()
            status, _ = mine.get(server.root + path.replace(" ", "%20"))
            if turn:  # the first has to read from the disk
                took.setdefault(name, []).append(time.perf_counter() - begin)
            if status not in (200, 204):
                raise SystemExit(f"{status} for {path}")
    mine.close()
    return took


@contextmanager
def _received(server: Server, receiving: bool) -> Iterator[list[int]]:
    """Instances come by STOW-RS, one request of twenty after the other, while the block runs."""
    counted, stop = [0], threading.Event()

    def send() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            server.store([to_bytes(ds) for ds in mr_series(Grid(slices=20, rows=256, columns=256), name=f"in {turn}")])
            counted[0] += 20

    thread = threading.Thread(target=send)
    if receiving:
        thread.start()
    try:
        yield counted
    finally:
        stop.set()
        if receiving:
            thread.join()
