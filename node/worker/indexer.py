"""The indexer: keeps what is found over DICOMweb up with what was received and made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import monotonic

from node.pipeline.archive import Indexing
from node.worker.loop import LONGEST_SLEEP_S, Loop

_RESTS = 4  # times as long as a batch took, while somebody sends


class Indexer(Loop):
    """Takes one batch after the other, and looks again when there is none."""

    def __init__(self, indexing: Indexing, clock: Callable[[], datetime]) -> None:
        super().__init__("indexer", clock)
        self._indexing = indexing

    def _step(self) -> float:
        """A batch, then a long rest where instances came meanwhile: what is being received goes first."""
        begin, before = monotonic(), self._indexing.received()
        if not self._indexing.step(self._stopping.is_set):
            return LONGEST_SLEEP_S
        if self._indexing.received() == before:
            return 0.0
        return min(_RESTS * (monotonic() - begin), LONGEST_SLEEP_S)
