"""Delivery: what is not delivered yet goes out, to every destination on its own, and every answer is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from node.adapters.database import Database
from node.adapters.database import jobs as rows
from node.adapters.database import outcomes as outcome_rows
from node.adapters.database.outcomes import Went
from node.adapters.database.refusals import send_in_place
from node.adapters.destinations import Destination, Outcome, Outgoing, Probing
from node.adapters.destinations.reaching import Reached
from node.adapters.objects import ResultFiles
from node.adapters.telemetry import OFF, Tracing
from node.core.audit.transfers import Transfer
from node.core.breaker import Failure, Turn
from node.core.forms import IN_PLACE
from node.core.jobs import Delivery, Job
from node.core.states import DeliveryState
from node.core.status import Meaning
from node.errors import BadInstance, DestinationRefused, DestinationUnavailable, StoreUnavailable
from node.pipeline.gate import Gate, Policy, Proof, Slots
from node.pipeline.proof import Promises


@dataclass(frozen=True)
class _Tried:
    """What a destination left undone."""

    waiting: Sequence[Delivery] = ()
    reason: str = ""
    goes_on: bool = True  # whether another member of its group may be tried


@dataclass(frozen=True)
class Delivering:
    """What a delivery needs."""

    database: Database
    results: ResultFiles
    destinations: Mapping[str, Destination]
    clock: Callable[[], datetime]
    policies: Mapping[str, Policy] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # tried in this order until one takes it
    unused: Mapping[str, str] = field(default_factory=dict)  # names that are written down and no good, and why
    slots: Slots = field(default_factory=Slots)
    tracing: Tracing = OFF
    audits: bool = True  # whether the audit trail is told what went out

    def deliver(self, job: Job) -> str:
        """Send what is not delivered yet; the sentence that completes the job. No destination waits for another.

        Raises DestinationUnavailable while something has to wait, with the seconds until a destination is tried next
        where that is known; DestinationRefused when a destination will never take it.
        """
        waiting = [reason for reason in self._send_all(rows.to_deliver(self.database, job.id)) if reason]
        if send_in_place(self.database, job.id, _IN_PLACE, self.clock()):
            waiting = [reason for reason in self._send_all(rows.to_deliver(self.database, job.id)) if reason]
        if waiting:
            raise DestinationUnavailable("; ".join(waiting), self._seconds_left(job))
        refusals = rows.refused(self.database, job.id)
        if refusals:
            raise DestinationRefused("; ".join(f"{name} answered {answer}" for name, answer in refusals))
        return f"delivered to {', '.join(job.destinations)}" if job.destinations else "kept; the rule delivers nowhere"

    @property
    def promises(self) -> Promises:
        return Promises(self.database, self.results, self.destinations, self.policies, self.clock)

    @property
    def _asks_commitment(self) -> bool:
        return any(one.proof is Proof.COMMITMENT for one in self.policies.values())

    @property
    def gate(self) -> Gate:
        return Gate(self.database, self.clock, self.policies, self.groups, self.slots)

    def _seconds_left(self, job: Job) -> float | None:
        names = {one.destination for one in rows.to_deliver(self.database, job.id)}
        return self.gate.seconds_left({member for name in names for member in self.groups.get(name, (name,))})

    def _send_all(self, due: Sequence[Delivery]) -> list[str]:
        to_send, reasons = self.promises.settle(due) if self._asks_commitment else ([*due], [])
        left = [(name, list(mine)) for name, mine in groupby(to_send, key=lambda one: one.destination)]
        if len(left) < 2:
            return reasons + [self._send(name, mine) for name, mine in left]
        with ThreadPoolExecutor(len(left), "delivery") as threads:
            # Each with a context of its own: the job that log lines carry, and the step that it is a part of
            contexts = [copy_context() for _ in left]
            return reasons + list(threads.map(lambda each, one: each.run(self._send, *one), contexts, left))

    def _send(self, name: str, deliveries: Sequence[Delivery]) -> str:
        """Why this destination, or every member of this group, has to wait; "" when everything was answered."""
        if why := self.unused.get(name):
            return f"{name} is not in use: {why}"
        reasons: list[str] = []
        for member in self._members(name):
            tried = self._try(member, deliveries, "" if member == name else f"{member}: ")
            if tried.reason:
                reasons.append(tried.reason)
            if not tried.waiting:
                return ""
            if not tried.goes_on:
                break
            deliveries = tried.waiting
        return "; ".join(reasons)

    def _members(self, name: str) -> Sequence[str]:
        """Of a group; a destination is its own."""
        if name not in self.groups and name in self.destinations:
            return (name,)
        return self.groups.get(name, (name,))  # whoever looked for a destination in vain sees groups of a moment ago

    def _try(self, name: str, deliveries: Sequence[Delivery], prefix: str) -> _Tried:
        destination = self.destinations.get(name)
        if destination is None and prefix:  # taken off its group and removed, since this delivery began
            return _Tried(deliveries, f"{name} is not there any more")
        if destination is None:
            self._note_all(deliveries, DeliveryState.REFUSED, f"no destination is called {name}")
            return _Tried()
        with self.gate.passing(name) as (turn, sentence):
            if turn is Turn.WAIT:
                return _Tried(deliveries, sentence)
            return self._attempt(destination, deliveries, prefix, probes=turn is Turn.PROBE)

    def _attempt(
        self, destination: Destination, deliveries: Sequence[Delivery], prefix: str, *, probes: bool
    ) -> _Tried:
        begin = time.monotonic()
        try:
            with self.tracing.step("send", destination=destination.name, results=len(deliveries)):
                if probes and isinstance(destination, Probing):
                    destination.probe()
                outcomes = destination.deliver([self._outgoing(one) for one in deliveries])
        except DestinationUnavailable as down:
            self._note_all(deliveries, DeliveryState.WAITING, f"{prefix}{down}")
            return _Tried(deliveries, self._failed(destination.name, str(down), begin, down.retry_after))
        return self._noted(destination, dict(zip(deliveries, outcomes, strict=True)), prefix, begin)

    def _noted(
        self, destination: Destination, outcomes: Mapping[Delivery, Outcome], prefix: str, begin: float
    ) -> _Tried:
        name, went = destination.name, _went(destination, outcomes) if self.audits else None
        if self.gate.policy(name).proof is Proof.COMMITMENT:
            taken = {one: outcome for one, outcome in outcomes.items() if outcome.meaning is Meaning.DELIVERED}
            outcomes = {**outcomes, **self.promises.ask(name, taken)}
        said = {one: (_STATES[outcome.meaning], f"{prefix}{outcome.answer}") for one, outcome in outcomes.items()}
        outcome_rows.note(self.database, said, self.clock(), went)
        waiting = {one: outcome for one, outcome in outcomes.items() if outcome.meaning is Meaning.WAIT}
        if not waiting:
            self.gate.answered(name)
            return _Tried()
        return self._left(name, waiting, begin)

    def _left(self, name: str, waiting: Mapping[Delivery, Outcome], begin: float) -> _Tried:
        told = next((one for one in waiting.values() if not one.is_well), None)
        if told is None:
            self.gate.answered(name)
            return _Tried([*waiting], f"{name} answered {next(iter(waiting.values())).answer}", goes_on=False)
        return _Tried([*waiting], self._failed(name, f"{name} answered {told.answer}", begin, told.retry_after))

    def _failed(self, name: str, reason: str, begin: float, retry_after: float | None) -> str:
        took = timedelta(seconds=time.monotonic() - begin)
        asked = timedelta(seconds=retry_after) if retry_after else None
        return self.gate.failed(name, Failure(reason, took, asked))

    def _outgoing(self, one: Delivery) -> Outgoing:
        """Raises BadInstance where what was made is lost, StoreUnavailable where it may only be out of reach."""
        path = self.results.path(one.path)
        if not path.is_file():
            if self.results.looks_unmounted():
                raise StoreUnavailable("the folder of made results is empty: is its disk mounted?")
            raise BadInstance(f"the {one.kind} that was made is not in the store any more: reprocess its series")
        return Outgoing(one.kind, one.sop_class_uid, one.sop_instance_uid, path, tried_before=one.attempts > 0)

    def _note_all(self, deliveries: Sequence[Delivery], state: DeliveryState, answer: str) -> None:
        outcome_rows.note(self.database, dict.fromkeys(deliveries, (state, answer)), self.clock())


def _went(destination: Destination, outcomes: Mapping[Delivery, Outcome]) -> Went:
    """What was taken, whether it is proven or not, and what was refused."""
    where = destination.where() if isinstance(destination, Reached) else None
    transfer = Transfer(destination.name, where.ae_title, where.host) if where else Transfer(destination.name)
    by_meaning = {meaning: [one for one in outcomes if outcomes[one].meaning is meaning] for meaning in Meaning}
    return Went(transfer, by_meaning[Meaning.DELIVERED], by_meaning[Meaning.REFUSED])


_STATES = {
    Meaning.DELIVERED: DeliveryState.DELIVERED,
    Meaning.WAIT: DeliveryState.WAITING,
    Meaning.REFUSED: DeliveryState.REFUSED,
}
_IN_PLACE = {str(form): str(instead) for form, instead in IN_PLACE.items()}
