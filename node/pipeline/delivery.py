"""Delivery: what is not delivered yet goes out, destination by destination, and every answer is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from node.adapters.database import Database
from node.adapters.database import jobs as rows
from node.adapters.destinations import Destination, Outgoing
from node.core.jobs import Delivery, Job
from node.core.states import DeliveryState
from node.core.status import Meaning
from node.errors import DestinationRefused, DestinationUnavailable


@dataclass(frozen=True)
class Delivering:
    """What a delivery needs."""

    database: Database
    results: Path
    destinations: Mapping[str, Destination]
    clock: Callable[[], datetime]

    def deliver(self, job: Job) -> str:
        """Send what is not delivered yet; the sentence that completes the job. One that is down stops no other.

        Raises DestinationUnavailable while something has to wait, DestinationRefused when a destination will never
        take it.
        """
        waiting: list[str] = []
        left = rows.to_deliver(self.database, job.id)
        for name, deliveries in groupby(left, key=lambda one: one.destination):
            reason = self._send(name, list(deliveries))
            if reason:
                waiting.append(reason)
        if waiting:
            raise DestinationUnavailable("; ".join(waiting))
        refusals = rows.refused(self.database, job.id)
        if refusals:
            raise DestinationRefused("; ".join(f"{name} answered {answer}" for name, answer in refusals))
        return f"delivered to {', '.join(job.destinations)}" if job.destinations else "kept; the rule delivers nowhere"

    def _send(self, name: str, deliveries: Sequence[Delivery]) -> str:
        """Why this destination has to wait; "" when everything was answered."""
        destination = self.destinations.get(name)
        if destination is None:
            self._note_all(deliveries, DeliveryState.REFUSED, f"no destination is called {name}")
            return ""
        objects = [
            Outgoing(one.kind, one.sop_class_uid, one.sop_instance_uid, self.results / one.path) for one in deliveries
        ]
        try:
            outcomes = destination.deliver(objects)
        except DestinationUnavailable as down:
            self._note_all(deliveries, DeliveryState.WAITING, str(down))
            return str(down)
        reason = ""
        for one, outcome in zip(deliveries, outcomes, strict=True):
            rows.note_delivery(self.database, one.id, _STATES[outcome.meaning], outcome.answer, self.clock())
            if outcome.meaning is Meaning.WAIT:
                reason = f"{name} answered {outcome.answer}"
        return reason

    def _note_all(self, deliveries: Sequence[Delivery], state: DeliveryState, answer: str) -> None:
        for one in deliveries:
            rows.note_delivery(self.database, one.id, state, answer, self.clock())


_STATES = {
    Meaning.DELIVERED: DeliveryState.DELIVERED,
    Meaning.WAIT: DeliveryState.WAITING,
    Meaning.REFUSED: DeliveryState.REFUSED,
}
