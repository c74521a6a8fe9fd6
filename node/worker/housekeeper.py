"""The housekeeper: marks late jobs, removes bytes of what is settled, and sweeps up what a crash left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

import structlog

from node.adapters.database import Database
from node.adapters.database import jobs as rows
from node.pipeline.retention import Retention
from node.worker.loop import Loop

_log = structlog.get_logger(__name__)

_EVERY_S = 10.0
_SWEEP_EVERY_S = 24 * 3600.0


class Housekeeper(Loop):
    """Does a little at a time, so that it stops when it is told to."""

    def __init__(
        self,
        database: Database,
        retention: Retention,
        clock: Callable[[], datetime],
        alone: Callable[[], bool] = lambda: True,
    ) -> None:
        """`alone`: whether it is this process that tidies the store."""
        super().__init__("housekeeper", clock)
        self._database, self._retention, self._alone = database, retention, alone
        self._sweeping: Iterator[int] | None = None
        self._swept: float | None = None

    def _step(self) -> float:
        if late := rows.mark_overdue(self._database, self._clock()):
            _log.warning("jobs are overdue", jobs=late)
        if not self._alone():
            return _EVERY_S
        busy = self._retention.remove_settled() > 0
        return 0.0 if self._sweep() or busy else _EVERY_S

    def _sweep(self) -> bool:
        """The next folder; whether there may be more."""
        if self._sweeping is None:
            if self._swept is not None and time.monotonic() - self._swept < _SWEEP_EVERY_S:
                return False
            self._sweeping, self._swept = self._retention.sweep(), time.monotonic()
        if next(self._sweeping, None) is None:
            self._sweeping = None
        return self._sweeping is not None
