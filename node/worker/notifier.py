"""The notifier: looks at what is wrong now and then, and tells whoever is to be told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import monotonic

from node.pipeline.notices.notifier import Notifier
from node.worker.loop import Loop

_TELL_EVERY_S = 2.0


class NoticeTeller(Loop):
    """Looks every so many seconds, and sends what is due in between."""

    def __init__(
        self,
        notifier: Notifier,
        every_seconds: float,
        clock: Callable[[], datetime],
        alone: Callable[[], bool] = lambda: True,
    ) -> None:
        """`alone`: whether it is this process that tells."""
        super().__init__("notifier", clock)
        self._notifier, self._every, self._alone = notifier, every_seconds, alone
        self._looked: float | None = None

    def _step(self) -> float:
        if not self._alone():
            return _TELL_EVERY_S
        now = monotonic()
        if self._looked is None or now - self._looked >= self._every:
            self._notifier.look()
            self._looked = now
        self._notifier.tell(lambda: not self._stopping.is_set())
        return min(_TELL_EVERY_S, self._every)
