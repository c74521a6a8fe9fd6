"""The keeper of headers: gathers them, and forgets those that are too old."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from node.pipeline.rule_sets.kept import Headers
from node.worker.loop import Loop

_EVERY_S = 600.0


class HeaderKeeper(Loop):
    """Tidies what is kept of headers, now and then. Several processes may: each does what is left to do."""

    def __init__(self, headers: Headers, clock: Callable[[], datetime]) -> None:
        super().__init__("header keeper", clock)
        self._headers = headers

    def _step(self) -> float:
        self._headers.tidy()
        return _EVERY_S
