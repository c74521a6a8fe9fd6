"""The carrier: keeps an engine in step with the rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime

from node.adapters.database import Database, processes
from node.adapters.engine import Engine
from node.worker.loop import LONGEST_SLEEP_S, Loop
from node.worker.worker import Worker

_AHEAD = 4  # jobs in the engine for each that it may call at once
_SWEEP_EVERY_S = 5.0


class Carrier(Loop):
    """Keeps an engine in step with the rows: what is due and not carried is enqueued, whoever lost it.

    No more than a few are in the engine at a time, so that the order is the rows', however long the backlog.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        workers: Mapping[str, tuple[Worker, int]],
        clock: Callable[[], datetime],
    ) -> None:
        """`workers` are those that the engine calls: queue → worker, and how many calls at once."""
        super().__init__("carrier", clock)
        self._database, self._engine, self._workers = database, engine, workers
        self._swept: float | None = None
        self._started = False

    def _step(self) -> float:
        if not self._started:
            self._engine.start({queue: at_once for queue, (_, at_once) in self._workers.items()}, self._carry)
            self._started = True
        for queue, (worker, at_once) in self._workers.items():
            self._fill(queue, worker, at_once)
        self._sweep()
        return LONGEST_SLEEP_S

    def stop(self, grace_seconds: float) -> None:
        ends_at = time.monotonic() + grace_seconds
        for worker, _ in self._workers.values():
            worker.ask_to_stop()
        super().stop(grace_seconds)
        self._engine.stop(max(0.0, ends_at - time.monotonic()))

    def _carry(self, queue: str, job_id: int) -> None:
        worker, _ = self._workers[queue]
        if not self._stopping.is_set():
            worker.twin().carry(job_id)
        self.wake()

    def _fill(self, queue: str, worker: Worker, at_once: int) -> None:
        carried = self._engine.carried(queue)
        room = _AHEAD * at_once - len(carried)
        if room > 0:
            for one in worker.due(_AHEAD * at_once + len(carried)):
                if one.id not in carried and room > 0:
                    self._engine.enqueue(queue, one.id, rank=one.rank)
                    room -= 1

    def _sweep(self) -> None:
        now = time.monotonic()
        if self._swept is None or now - self._swept > _SWEEP_EVERY_S:
            self._swept = now
            self._engine.take_up(processes.living(self._database))
            self._engine.forget()
