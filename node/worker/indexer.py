"""The indexer: keeps what is found over DICOMweb up with what was received and made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import monotonic

from node.pipeline.archive import Indexing
from node.worker.loop import LONGEST_SLEEP_S, Loop


class Indexer(Loop):
    """Takes one batch after the other, and looks again when there is none."""

    def __init__(self, indexing: Indexing, clock: Callable[[], datetime]) -> None:
        super().__init__("indexer", clock)
        self._indexing = indexing

    def _step(self) -> float:
        """A batch, then a rest as long as it took: what is being received goes first."""
        begin = monotonic()
        if not self._indexing.step(self._stopping.is_set):
            return LONGEST_SLEEP_S
        return min(monotonic() - begin, LONGEST_SLEEP_S)
