"""The trail writer: once a second it writes down what was read, so that readers never take turns with who receives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from node.errors import NodeError
from node.pipeline.access.reads import Reads
from node.worker.loop import LONGEST_SLEEP_S, Loop

_log = structlog.get_logger(__name__)


class TrailWriter(Loop):
    """One transaction a second at most; what is left at the end is written then."""

    def __init__(self, reads: Reads, clock: Callable[[], datetime]) -> None:
        super().__init__("trail writer", clock)
        self._reads = reads

    def stop(self, grace_seconds: float) -> None:
        """When nobody reads any more."""
        super().stop(grace_seconds)
        try:
            while self._reads.write():
                pass
        except NodeError as gone:
            _log.error("the last reads are not in the audit trail", reason=str(gone))

    def _step(self) -> float:
        self._reads.write()
        return LONGEST_SLEEP_S
