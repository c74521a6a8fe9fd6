"""The board's teller: what this process knows and others may show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from node.worker.loop import Loop

_EVERY_S = 5.0


class BoardTeller(Loop):
    """Tells now and then."""

    def __init__(self, tell: Sequence[Callable[[], object]], clock: Callable[[], datetime]) -> None:
        super().__init__("board teller", clock)
        self._tell = tell

    def _step(self) -> float:
        for tell in self._tell:
            if self._stopping.is_set():
                break
            tell()
        return _EVERY_S
