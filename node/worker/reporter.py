"""The reporter: storage commitment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from node.pipeline.commitment import Commitments
from node.worker.loop import LONGEST_SLEEP_S, Loop


class Reporter(Loop):
    """Reports storage commitment to those who asked for it."""

    def __init__(
        self, commitments: Commitments, clock: Callable[[], datetime], is_mine: Callable[[], bool] = lambda: True
    ) -> None:
        """`is_mine` says whether it is this process that reports."""
        super().__init__("reporter", clock)
        self._commitments, self._is_mine = commitments, is_mine

    def _step(self) -> float:
        return 0.0 if self._is_mine() and self._commitments.report_next() else LONGEST_SLEEP_S
