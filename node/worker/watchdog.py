"""The watchdog: signs of life, and what becomes of the jobs of those that give none."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import structlog

from node.adapters.database import Database, processes
from node.worker.loop import Loop

_log = structlog.get_logger(__name__)

_BEAT_EVERY_S = 3.0
SILENT_S = 15.0  # without a sign of life: with a beat's time and a look's, jobs change hands within 20 s


class Watchdog(Loop):
    """Gives this process' sign of life, and takes up the jobs of processes that give none.

    Only one that could itself beat all the while may say that another is silent: after a database was away, everybody
    is, and nobody is dead.
    """

    def __init__(
        self,
        database: Database,
        process_id: str,
        clock: Callable[[], datetime],
        taken_up: Callable[[], None],
        beaten: Callable[[], None] = lambda: None,
        role: str = "",
    ) -> None:
        """`taken_up` is called when there are jobs of a dead process, `beaten` after each sign of life."""
        super().__init__("watchdog", clock)
        self._role = role
        self._database, self._process, self._taken_up, self._beaten = database, process_id, taken_up, beaten
        self._beating_since: float | None = None
        self._last = 0.0

    def arrive(self) -> None:
        """Enlist this process; what it had in progress when it ended last time is taken up at once."""
        if taken := processes.arrive(self._database, self._process, self._clock(), self._role):
            _log.info("jobs of the last run taken up", jobs=taken)

    def leave(self) -> None:
        """Hand back what could not be finished."""
        if left := processes.leave(self._database, self._process, self._clock()):
            _log.info("jobs handed back", jobs=left)

    def _step(self) -> float:
        if not processes.beat(self._database, self._process, self._role):
            _log.warning("this process had been given up: others took its jobs")
        now = time.monotonic()
        if self._beating_since is None or now - self._last > SILENT_S / 2:
            self._beating_since = now
        self._last = now
        if now - self._beating_since >= SILENT_S:
            self._bury()
        self._beaten()
        return _BEAT_EVERY_S

    def _bury(self) -> None:
        if taken := processes.bury(self._database, self._process, SILENT_S, self._clock()):
            _log.warning("jobs of a dead process taken up", jobs=taken)
            self._taken_up()
