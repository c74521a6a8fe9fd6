"""A thread that outlives every fault of a single step."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import structlog

from node.errors import NodeError

_log = structlog.get_logger(__name__)

LONGEST_SLEEP_S = 1.0  # other processes may create work without being able to wake this one


class Loop:
    """A thread that works until there is nothing to do, then sleeps until it is woken or a moment comes."""

    def __init__(self, name: str, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def ask_to_stop(self) -> None:
        """Begin nothing new."""
        self._stopping.set()
        self._woken.set()

    def stop(self, grace_seconds: float) -> None:
        """Finish what is being done, as far as the grace goes; what is cut off is taken up at the next start."""
        self.ask_to_stop()
        if self._thread.is_alive():
            self._thread.join(grace_seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                seconds = self._step()
            except Exception as broken:  # noqa: BLE001 # the loop outlives every fault and records it
                known = isinstance(broken, NodeError)
                _log.error(
                    "step failed", loop=self._thread.name, reason=str(broken) if known else "", exc_info=not known
                )
                seconds = LONGEST_SLEEP_S
            if seconds > 0:
                self._woken.wait(seconds)

    def _step(self) -> float:
        """Do one piece of work; seconds to sleep, 0 when there may be more to do at once."""
        raise NotImplementedError
