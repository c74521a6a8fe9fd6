"""Small series through one node: reception, completion, rules, job rows, workers; the work itself is none."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep
from typing import cast

import psutil
from sqlalchemy import func, select

from benchmarks.pipeline.noop import NoWork, now
from node.adapters.database import Database, processes
from node.adapters.database.balance import balance
from node.adapters.database.claims import Claimant
from node.adapters.database.tables import job
from node.core.completion import Policy
from node.core.rules import parse_rule_set
from node.core.status import SUCCESS
from node.logs import configure
from node.pipeline.completion import Completion
from node.pipeline.work import Work
from node.worker import Clerk, Loop, Watchdog, Worker
from tests.receiving import Encoded, Store, encoded, open_store
from tests.synthetic import Grid, mr_series, uid

_SENDERS = 4
_SLICES = 2
_AHEAD = 200  # series that are sent and not done: a modality would have to wait as well
_RULE = "name: all\ndescription: all\nwhen: {Modality: MR}\nthen: [{infer: m}, {deliver: [out]}]\nstop: true\n"


def numbered(base: list[Encoded], uids: tuple[str, str], number: int) -> list[Encoded]:
    """The same slices under other UIDs of the same length: a study and a series of their own."""
    study_uid, series_uid = uids
    made = []
    for place, one in enumerate(base):
        data_set = one.data_set
        mine = _fit(uid("many", number, place), one.sop_instance_uid)
        for old, new in (
            (one.sop_instance_uid, mine),
            (series_uid, _fit(uid("series", number), series_uid)),
            (study_uid, _fit(uid("study", number), study_uid)),
        ):
            data_set = data_set.replace(old.encode(), new.encode())
        made.append(Encoded(one.sop_class_uid, mine, one.transfer_syntax_uid, data_set))
    return made


def _fit(new: str, old: str) -> str:
    return new[: len(old)].ljust(len(old), "7")


def loops(store: Store) -> list[Loop]:
    """The node's own, with work that is none; the clerk first."""
    database = store.database
    rules, quick = parse_rule_set({"_set.yaml": "otherwise: hold\n", "10-all.yaml": _RULE}), Policy(0.2, 0.2, 0.2, 5)
    completion = Completion(database, store.files, now, lambda: rules, lambda _ae: quick)
    workers = [Worker(f"w{one}", database, cast("Work", NoWork()), now, Claimant("node")) for one in range(2)]

    def wake() -> None:
        for worker in workers:
            worker.wake()

    return [Clerk(completion, now, wake), Watchdog(database, "node", now, wake), *workers]


def send(store: Store, base: list[Encoded], uids: tuple[str, str], waiting: Iterator[int]) -> None:
    for one in waiting:
        while one - _ended(store.database) > _AHEAD:
            sleep(0.05)
        for instance in numbered(base, uids, one):
            assert store.receive(instance).status == SUCCESS


def main(number: int = 10_000) -> None:
    configure(verbose=False)
    slices = mr_series(Grid(slices=_SLICES, rows=32, columns=32))
    base, uids = [encoded(ds) for ds in slices], (str(slices[0].StudyInstanceUID), str(slices[0].SeriesInstanceUID))
    store = open_store(Path(tempfile.mkdtemp(prefix="many-")), now)
    processes.arrive(store.database, "node", now())
    running, waiting = loops(store), iter(range(number))
    senders = [threading.Thread(target=send, args=(store, base, uids, waiting)) for _ in range(_SENDERS)]
    begin = last = perf_counter()
    for thread in (*running, *senders):
        thread.start()
    print("| series | a second | RSS, MB |\n|---|---|---|")
    step = number // 10
    for mark in range(step, number + 1, step):
        while _ended(store.database) < mark:
            sleep(0.1)
        at = perf_counter()
        print(f"| {mark} | {step / (at - last):.0f} | {psutil.Process().memory_info().rss / 1e6:.0f} |", flush=True)
        last = at
    for loop in running:
        loop.stop(5)
    print(f"all: {number / (last - begin):.0f} series a second; residue {balance(store.database).residue}")
    store.close()


def _ended(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.scalar(select(func.count()).where(job.c.state == "completed")) or 0)
