"""A thread that follows one feed for ever, and backs off while its source is down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Protocol

import structlog

from node.adapters.database import Database
from node.adapters.database import feeds as rows
from node.errors import NodeError

_log = structlog.get_logger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_NOT_MINE_S = 5.0  # until it is asked again whether another process still follows it
_ASK_EVERY_S = 3.0
_BROKEN = "the node failed on it: see the log for this feed"


class Feed(Protocol):
    """A source of instances."""

    @property
    def name(self) -> str: ...

    def step(self, is_stopping: Callable[[], bool]) -> float:
        """Receive what is there; seconds until the next look. Raises NodeError when the source is not usable."""


class _Turn:
    """Whose turn it is, asked again every few seconds only: a step asks for each instance."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask, self._answer, self._at = ask, True, 0.0

    def is_mine(self, *, at_once: bool = False) -> bool:
        """Raises StoreUnavailable."""
        now = monotonic()
        if at_once or now - self._at > _ASK_EVERY_S:
            self._answer, self._at = self._ask(), now
        return self._answer


class Follower:
    """Takes one step of a feed after the other."""

    def __init__(
        self,
        feed: Feed,
        database: Database,
        clock: Callable[[], datetime],
        is_mine: Callable[[], bool] = lambda: True,
    ) -> None:
        """`is_mine` says whether it is this process that follows the feed; it is asked now and then during a step."""
        self._feed, self._database, self._clock = feed, database, clock
        self._turn = _Turn(is_mine)
        self._stopping = threading.Event()
        self._fault: str | None = None  # None: not known yet what the rows say
        self._wait_seconds = _FIRST_WAIT_S
        self._thread = threading.Thread(target=self._run, name=f"feed {feed.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, grace_seconds: float) -> None:
        """Finish the instance that is being received, as far as the grace goes."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(grace_seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._step())

    def _step(self) -> float:
        try:
            if not self._turn.is_mine(at_once=True):
                self._fault = None  # another process says how the feed gets on
                return _NOT_MINE_S
            seconds = self._feed.step(self._is_stopping)
        except NodeError as fault:
            return self._back_off(str(fault))
        except Exception:  # noqa: BLE001 # the loop outlives every fault; the log keeps the traceback
            _log.exception("feed broke", loop=self._feed.name)
            return self._back_off(_BROKEN)
        self._note("")
        self._wait_seconds = _FIRST_WAIT_S
        return seconds

    def _is_stopping(self) -> bool:
        return self._stopping.is_set() or not self._turn.is_mine()

    def _back_off(self, fault: str) -> float:
        self._note(fault)
        seconds, self._wait_seconds = self._wait_seconds, min(2 * self._wait_seconds, _LONGEST_WAIT_S)
        return seconds

    def _note(self, fault: str) -> None:
        """Say it when it changes, not at every look."""
        if fault == self._fault:
            return
        if fault:
            _log.warning("feed does not get on", loop=self._feed.name, reason=fault)
        elif self._fault:
            _log.warning("feed gets on again", loop=self._feed.name)
        with suppress(NodeError):  # the database may be what is down
            rows.note_fault(self._database, self._feed.name, fault, self._clock())
            self._fault = fault
