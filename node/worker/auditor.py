"""The auditor: brings the audit trail to the collector, and waits longer each time that it does not answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from node.errors import Retryable
from node.pipeline.access.export import Export
from node.worker.loop import LONGEST_SLEEP_S, Loop

_log = structlog.get_logger(__name__)

_LONGEST_WAIT_S = 60.0


class Auditor(Loop):
    """`alone`: whether this process, of several, does it now."""

    def __init__(self, export: Export, alone: Callable[[], bool], clock: Callable[[], datetime]) -> None:
        super().__init__("auditor", clock)
        self._export, self._alone = export, alone
        self._begun, self._wait_s = False, LONGEST_SLEEP_S

    def _step(self) -> float:
        if not self._alone():
            return LONGEST_SLEEP_S
        try:
            if not self._begun:
                self._export.begin()
                self._begun = True
            sent = self._export.step()
        except Retryable as gone:
            if self._wait_s == LONGEST_SLEEP_S:
                _log.warning("audit trail waits for its collector", reason=str(gone))
            self._wait_s = min(_LONGEST_WAIT_S, self._wait_s * 2)
            return self._wait_s
        if self._wait_s != LONGEST_SLEEP_S:
            _log.info("audit trail goes on")
        self._wait_s = LONGEST_SLEEP_S
        return 0.0 if sent else LONGEST_SLEEP_S
