"""A process that only works: `python -m tests.system.working_node FOLDER URL PROCESS HOLD ENGINE`.

The node's own watchdog and workers on a real database; the model answers at once and the PACS is a list in a file.
ENGINE is "rows", or the URL of a database for DBOS. It stops in the middle of the step named HOLD until the file
FOLDER/go is there, and says so.
"""

from __future__ import annotations

import hashlib
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.adapters.database.claims import Claimant
from node.adapters.decoding import Decoder
from node.adapters.destinations import Outcome, Outgoing
from node.adapters.engine.transact import Transact
from node.adapters.triton import StillWanted
from node.core.card import Card
from node.core.jobs import Job
from node.core.states import Stage
from node.pipeline.models import Judged
from node.pipeline.work import Work
from node.worker import Carrier, Loop, Watchdog, Worker
from tests.bench import Bench
from tests.fakes import FakeDestination, FakeModels
from tests.receiving import opened

STOP_S = 2.0


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 # this program owns its clock


@dataclass(frozen=True)
class Hold:
    """Where to stop, and the file that ends it."""

    step: str
    go: Path

    def at(self, step: str, still_wanted: StillWanted = lambda: None) -> None:
        if step == self.step:
            print("holds", step, flush=True)  # noqa: T201 # who started it waits for this line
            while not self.go.exists():
                still_wanted()
                sleep(0.05)


class HeldModels(FakeModels):
    """Writes down every question."""

    def __init__(self, hold: Hold, asked: Path) -> None:
        super().__init__()
        self._hold, self._asked = hold, asked

    def infer(
        self,
        card: Card,
        slices: NDArray[np.uint16],
        request_id: str,
        still_wanted: StillWanted,
        images: str = "",
        judged: Judged = lambda _: None,
        others: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    ) -> NDArray[Any]:
        with self._asked.open("a") as lines:
            lines.write(f"{request_id}\n")
        self._hold.at("infer", still_wanted)
        return super().infer(card, slices, request_id, still_wanted, images, judged)


class Pacs(FakeDestination):
    """Writes down every object: its SOP Instance UID and its digest."""

    def __init__(self, hold: Hold, stored: Path) -> None:
        super().__init__("out")
        self._hold, self._stored = hold, stored

    def deliver(self, objects: Sequence[Outgoing]) -> list[Outcome]:
        for one in objects:
            digest = hashlib.sha256(one.path.read_bytes()).hexdigest()
            with self._stored.open("a") as lines:
                lines.write(f"{one.sop_instance_uid} {digest}\n")
            self._hold.at("sent")
        return super().deliver(objects)


class HeldWork(Work):
    """Stops where a step begins."""

    def _enter(self, job: Job, stage: Stage) -> None:
        super()._enter(job, stage)
        if stage is not Stage.INFER:
            HOLD.at(stage.value)


def held(work: Work) -> HeldWork:
    return HeldWork(**{one.name: getattr(work, one.name) for one in fields(work)})


def loops(bench: Bench, process: str, engine_url: str) -> list[Loop]:
    """In the order in which they stop."""
    database, work = bench.store.database, held(bench.work)
    maker = Worker("maker", database, work, now, Claimant(process, delivers=False))
    deliverer = Worker("deliverer", database, work, now, Claimant(process, makes=False))
    if engine_url == "rows":
        return [maker, deliverer, Watchdog(database, process, now, maker.wake)]
    queues = {"make": (maker, 1), "deliver": (deliverer, 1)}
    carrier = Carrier(database, Transact(engine_url, process), queues, now)
    return [carrier, Watchdog(database, process, now, carrier.wake)]


def main(folder: Path, url: str, process: str, engine_url: str) -> None:
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    with opened(folder, now, url=url, chain=process) as store, Decoder() as decoder:
        bench = Bench(store, now, decoder)  # type: ignore[arg-type] # a real clock is called as a told one is
        bench.models = HeldModels(HOLD, folder / "asked")
        bench.out = Pacs(HOLD, folder / "stored")
        working = loops(bench, process, engine_url)
        watchdog = working[-1]
        assert isinstance(watchdog, Watchdog)
        watchdog.arrive()
        for loop in working:
            loop.start()
        print("works", flush=True)  # noqa: T201
        told.wait()
        ends_at = monotonic() + STOP_S
        for loop in working:
            loop.stop(max(0.0, ends_at - monotonic()))
        watchdog.leave()


HOLD = Hold("", Path())

if __name__ == "__main__":
    HOLD = Hold(sys.argv[4], Path(sys.argv[1]) / "go")
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[5])
