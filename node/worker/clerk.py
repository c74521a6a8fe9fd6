"""The clerk: judges waiting series."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from structlog.contextvars import bound_contextvars

from node.errors import StoreUnavailable
from node.pipeline.completion import Completion
from node.worker.loop import LONGEST_SLEEP_S, Loop

_log = structlog.get_logger(__name__)


class Clerk(Loop):
    """Judges series; `completed` is called when one was given to the rules."""

    def __init__(self, completion: Completion, clock: Callable[[], datetime], completed: Callable[[], None]) -> None:
        super().__init__("clerk", clock)
        self._completion, self._completed = completion, completed

    def _step(self) -> float:
        completed = sum(self._judge(uid) for uid in self._completion.due())
        if completed:
            self._completed()
        soonest = self._completion.next_look()
        if soonest is None:
            return LONGEST_SLEEP_S
        return min(max((soonest - self._clock()).total_seconds(), 0.0), LONGEST_SLEEP_S)

    def _judge(self, series_instance_uid: str) -> bool:
        with bound_contextvars(series_instance_uid=series_instance_uid):
            try:
                return self._completion.judge(series_instance_uid)
            except StoreUnavailable:
                raise
            except Exception:  # noqa: BLE001 # one series must not stop the others; the log keeps the traceback
                _log.exception("series not judged")
                self._completion.put_off(series_instance_uid)
                return False
