"""The indexer: keeps what is found over DICOMweb up with what was received and made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from node.pipeline.archive import Indexing
from node.worker.loop import LONGEST_SLEEP_S, Loop


class Indexer(Loop):
    """Takes one batch after the other, and looks again when there is none."""

    def __init__(self, indexing: Indexing, clock: Callable[[], datetime]) -> None:
        super().__init__("indexer", clock)
        self._indexing = indexing

    def _step(self) -> float:
        return 0.0 if self._indexing.step(self._stopping.is_set) else LONGEST_SLEEP_S
