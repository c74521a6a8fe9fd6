"""The model keeper: canaries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from node.pipeline.models import Models
from node.worker.loop import LONGEST_SLEEP_S, Loop

_CANARY_EVERY_S = 60.0


class ModelKeeper(Loop):
    """Asks the canaries at start, after every fault, and now and then; restarts an embedded server that died.

    Takes up calibrations that were made anew."""

    def __init__(self, models: Models, clock: Callable[[], datetime], revive: Callable[[], None]) -> None:
        """`revive` starts a dead embedded server again; it does nothing otherwise."""
        super().__init__("model keeper", clock)
        self._models, self._revive = models, revive
        self._asked: datetime | None = None
        self._known: frozenset[str] = frozenset()  # the models that had a fault when canaries were asked last

    def _step(self) -> float:
        self._revive()
        self._models.look_for_calibrations()
        now = self._clock()
        faulty = frozenset(self._models.faults())
        due = self._asked is None or (now - self._asked).total_seconds() >= _CANARY_EVERY_S
        if due or faulty - self._known:  # a server that came back may be another one, for every model
            self._asked = now
            faulty = frozenset(self._models.ask_canaries(now))
        elif faulty:
            faulty = frozenset(self._models.ask_canaries(now, faulty))
        self._known = faulty
        return LONGEST_SLEEP_S
