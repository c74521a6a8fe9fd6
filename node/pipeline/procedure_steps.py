"""Performed procedure steps on their way in: kept, and given to the clerk when they end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from node.adapters.database import Database
from node.adapters.database import evidence as rows
from node.core.fault import Fault
from node.core.procedure_step import Step, StepState

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ProcedureSteps:
    """What an MPPS SCP needs."""

    database: Database
    clock: Callable[[], datetime]
    wake: Callable[[], None]  # somebody is to look at waiting series

    def create(self, uid: str, step: Step, calling_ae: str) -> Fault | None:
        """N-CREATE; None when it was kept. Raises StoreUnavailable."""
        refused = rows.create_step(self.database, uid, step, calling_ae=calling_ae[:64], at=self.clock())
        self._tell("created", uid, step, refused)
        return refused

    def set(self, uid: str, step: Step) -> Fault | None:
        """N-SET; None when it was kept. A COMPLETED step may complete series. Raises StoreUnavailable."""
        refused = rows.set_step(self.database, uid, step, at=self.clock())
        self._tell("changed", uid, step, refused)
        if refused is None and step.state == StepState.COMPLETED:
            self._look(rows.step_series(self.database, uid))
        return refused

    def _look(self, series_instance_uids: list[str]) -> None:
        if rows.look_now(self.database, series_instance_uids, self.clock()):
            self.wake()

    def _tell(self, what: str, uid: str, step: Step, refused: Fault | None) -> None:
        reason = refused.sentence if refused else ""
        _log.info(f"procedure step {what}", sop_instance_uid=uid, state=step.state, reason=reason)
