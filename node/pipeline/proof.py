"""Proof of delivery by storage commitment (PS3.4 annex J): asked for after C-STORE, reported whenever the PACS likes.

Where a PACS does not offer it, or does not report in time, C-FIND decides, and where it offers neither, its answer to
C-STORE has to do. Each delivery's answer says which it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.uid import generate_uid

from node.adapters.database import Database, deliveries
from node.adapters.database import jobs as rows
from node.adapters.database.deliveries import COMMITTED, FAILED, Promise
from node.adapters.destinations import Committing, Destination, Findable, Outcome, Outgoing, read_back
from node.adapters.objects import ResultFiles
from node.core.jobs import Delivery
from node.core.sample import TEST_TRANSACTION
from node.core.states import DeliveryState
from node.core.status import Meaning
from node.core.storage_commitment import Report
from node.errors import DestinationUnavailable
from node.pipeline.gate import DEFAULT, Policy


@dataclass(frozen=True)
class Promises:
    """What storage commitment needs."""

    database: Database
    results: ResultFiles
    destinations: Mapping[str, Destination]
    policies: Mapping[str, Policy]
    clock: Callable[[], datetime]

    def settle(self, due: Sequence[Delivery]) -> tuple[list[Delivery], list[str]]:
        """What has to be sent, of what is due; and why the others wait."""
        known = deliveries.promises(self.database, [one.id for one in due])
        to_send: list[Delivery] = []
        reasons: list[str] = []
        for one in due:
            promise = known.get(one.id)
            reason = self._settled(one, promise) if promise else None
            if reason is None:
                to_send.append(one)
            elif reason:
                reasons.append(reason)
        return to_send, list(dict.fromkeys(reasons))

    def ask(self, name: str, taken: Mapping[Delivery, Outcome]) -> dict[Delivery, Outcome]:
        """Ask for what was taken; the outcomes that follow. Asked and noted before the PACS can report."""
        destination = self.destinations.get(name)  # somebody may have removed it since
        if not isinstance(destination, Committing) or not taken:
            return dict(taken)
        transaction_uid = str(generate_uid(prefix=None))
        noted = {one.id: (one.sop_instance_uid, outcome.answer) for one, outcome in taken.items()}
        deliveries.ask(self.database, transaction_uid, name, noted, self.clock())
        try:
            if destination.ask_commitment(transaction_uid, [self._outgoing(one) for one in taken]):
                return {one: _asked(outcome) for one, outcome in taken.items()}
        except DestinationUnavailable as silent:
            deliveries.forget(self.database, [one.id for one in taken])
            return {
                one: Outcome(Meaning.WAIT, f"{outcome.answer}; storage commitment not asked for: {silent}")
                for one, outcome in taken.items()
            }
        deliveries.forget(self.database, [one.id for one in taken])
        return {
            one: self._looked_for(destination, one, f"{outcome.answer}; storage commitment is not offered")
            for one, outcome in taken.items()
        }

    def report(self, transaction_uid: str, told: Report) -> bool:
        """A PACS reports. False for a transaction that this node did not begin. Raises StoreUnavailable."""
        if transaction_uid == TEST_TRANSACTION:  # of `destinations test`: nothing waits for it
            return True
        committed = [one.sop_instance_uid for one in told.committed]
        failed = {one.sop_instance_uid: f"Failure Reason {reason:04X}" for one, reason in told.failed}
        return deliveries.report(self.database, transaction_uid, committed, failed, self.clock())

    def _settled(self, one: Delivery, promise: Promise) -> str | None:
        """Why it waits; "" when nothing is left to do; None when it has to be sent again."""
        if promise.state == COMMITTED:
            return self._note(one, Outcome(Meaning.DELIVERED, f"{promise.answer}; storage commitment"))
        if promise.state == FAILED:
            deliveries.forget(self.database, [one.id])
            return None
        if self.clock() - promise.asked_at <= self.policies.get(promise.destination, DEFAULT).commitment:
            return f"{promise.destination} took it and was asked for storage commitment at {_moment(promise.asked_at)}"
        return self._overdue(one, promise)

    def _overdue(self, one: Delivery, promise: Promise) -> str | None:
        destination = self.destinations.get(promise.destination)
        answer = f"{promise.answer}; no report of storage commitment"
        outcome = self._looked_for(destination, one, answer)
        if outcome.meaning is Meaning.DELIVERED:
            return self._note(one, outcome)
        if outcome.is_well:  # it answers, and does not have it
            deliveries.forget(self.database, [one.id])
            return None
        return outcome.answer

    def _looked_for(self, destination: Destination | None, one: Delivery, answer: str) -> Outcome:
        stored = Outcome(Meaning.DELIVERED, answer)
        if not isinstance(destination, Findable):
            return stored
        return read_back(destination.find, "C-FIND", self._outgoing(one), stored)

    def _note(self, one: Delivery, outcome: Outcome) -> str:
        rows.note_delivery(self.database, one.id, DeliveryState.DELIVERED, outcome.answer, self.clock())
        deliveries.forget(self.database, [one.id])
        return ""

    def _outgoing(self, one: Delivery) -> Outgoing:
        return Outgoing(one.kind, one.sop_class_uid, one.sop_instance_uid, self.results.path(one.path))


def _asked(outcome: Outcome) -> Outcome:
    return Outcome(Meaning.WAIT, f"{outcome.answer}; storage commitment asked for", is_well=True)


def _moment(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M %Z}"
