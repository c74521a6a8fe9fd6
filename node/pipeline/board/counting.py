"""What takes long, done not often: counted in a thread of its own, or looked at again after a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

import structlog

from node.errors import NodeError

_log = structlog.get_logger(__name__)

Counted = TypeVar("Counted")
_SHARE = 20  # it rests so many times as long as it took


class Rarely(Generic[Counted]):
    """What changes slowly, by name, looked at again after a while. Two who come at once may both look."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._known: dict[str, tuple[float, Counted]] = {}

    def get(self, name: str, look: Callable[[], Counted]) -> Counted:
        known = self._known.get(name)
        if known is None or time.monotonic() - known[0] >= self._every_s:
            known = self._known[name] = (time.monotonic(), look())
        return known[1]


class Counting(Generic[Counted]):
    """The last count, and a new one in the making where the last is old enough."""

    def __init__(self, count: Callable[[], Counted], clock: Callable[[], datetime], every_s: float) -> None:
        """`every_s`: how old the last one is at least before it is counted again."""
        self._count, self._clock, self._every_s = count, clock, every_s
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._last: tuple[Counted, datetime] | None = None
        self._due_at = 0.0  # by the monotonic clock

    def last(self, wait_s: float) -> tuple[Counted, datetime] | None:
        """The last count and when it was made; one that is due is waited for so long. None: there is none yet."""
        with self._lock:
            if self._thread is None and time.monotonic() >= self._due_at:
                self._thread = threading.Thread(target=self._run, name="counting", daemon=True)
                self._thread.start()
            running = self._thread
        if running:
            running.join(wait_s)
        return self._last

    def _run(self) -> None:
        begin = time.monotonic()
        try:
            at = self._clock()
            self._last = (self._count(), at)
        except NodeError as fault:
            _log.warning("not counted", reason=str(fault))
        finally:
            took = time.monotonic() - begin
            with self._lock:
                self._due_at = time.monotonic() + max(self._every_s, _SHARE * took)
                self._thread = None
