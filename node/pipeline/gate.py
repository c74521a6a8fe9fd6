"""Whether a destination may be tried now: maintenance windows, its breaker, and how much it takes at once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from node.adapters.database import Database, pauses
from node.adapters.database import deliveries as rows
from node.core.breaker import Breaker, Failure, Turn, after, clock_time, probing, sentence, turn
from node.core.places import groups_with
from node.core.windows import Window, closed_until

_log = structlog.get_logger(__name__)


class Proof(StrEnum):
    """What makes a delivery sure."""

    ANSWER = "answer"  # the destination's answer
    QUERY = "query"  # it was found there
    COMMITMENT = "commitment"  # the destination took over responsibility for it (PS3.4 annex J)


@dataclass(frozen=True)
class Policy:
    """What a site wants of a destination."""

    windows: tuple[Window, ...] = ()
    max_parallel: int = 0  # in this process; 0: as they come
    proof: Proof = Proof.ANSWER
    commitment: timedelta = timedelta(hours=1)  # how long a report may take


DEFAULT = Policy()


@dataclass
class Slots:
    """How many deliveries are under way to each destination."""

    _taken: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, name: str, at_most: int) -> bool:
        with self._lock:
            if at_most and self._taken[name] >= at_most:
                return False
            self._taken[name] += 1
            return True

    def give_back(self, name: str) -> None:
        with self._lock:
            self._taken[name] -= 1


@dataclass(frozen=True)
class Gate:
    """Asked before each delivery and told after it. What it knows lies in the database, for every process."""

    database: Database
    clock: Callable[[], datetime]
    policies: Mapping[str, Policy]
    groups: Mapping[str, tuple[str, ...]]
    slots: Slots

    def policy(self, name: str) -> Policy:
        return self.policies.get(name, DEFAULT)

    @contextmanager
    def passing(self, name: str) -> Iterator[tuple[Turn, str]]:
        """The turn of this delivery, and for WAIT the sentence that says what for."""
        closed = self._closed(name)
        if closed:
            yield Turn.WAIT, closed
            return
        at_most = self.policy(name).max_parallel
        if not self.slots.take(name, at_most):
            yield Turn.WAIT, f"waiting for {name}: it takes {at_most} at once, {self._queued(name)} queued"
            return
        try:
            yield self._turn(name)
        finally:
            self.slots.give_back(name)

    def failed(self, name: str, failure: Failure) -> str:
        """Note a failure; the sentence of a breaker that is open by now, else why it failed."""
        now, jitter = self.clock(), random.random()  # noqa: S311 # jitter
        breaker = rows.step(self.database, name, lambda before: after(before, failure, now, jitter))
        if breaker is None or not breaker.is_open:
            return failure.reason
        _log.warning("destination waits", destination=name, reason=failure.reason)
        return self._sentence(name, breaker)

    def answered(self, name: str) -> None:
        """It answers: what waits for it is due at once."""
        if rows.known_breaker(self.database, name).failures:
            rows.close_breaker(self.database, name, self._names(name), self.clock())
            _log.info("destination answers", destination=name)

    def seconds_left(self, names: Iterable[str]) -> float | None:
        """How long none of these will be tried, by their windows and breakers; None when one may be tried now."""
        now = self.clock()
        moments = [self._opens(name, now) for name in names]
        known = [at for at in moments if at is not None and at > now]
        return (min(known) - now).total_seconds() if known and len(known) == len(moments) else None

    def _opens(self, name: str, now: datetime) -> datetime | None:
        end = closed_until(self.policy(name).windows, now.astimezone())
        return end or rows.known_breaker(self.database, name).next_try_at

    def _closed(self, name: str) -> str:
        now = self.clock().astimezone()
        if end := closed_until(self.policy(name).windows, now):
            return f"waiting for {name}: maintenance until {clock_time(end, now)}, {self._queued(name)} queued"
        return f"waiting for {name}: it is paused" if self._is_paused_member(name) else ""

    def _is_paused_member(self, name: str) -> bool:
        """What is paused under the name that rules use does not come so far; members of groups do."""
        if not any(name in members for members in self.groups.values()):
            return False
        return any(one.kind == pauses.DESTINATION and one.name == name for one in pauses.listed(self.database))

    def _turn(self, name: str) -> tuple[Turn, str]:
        now = self.clock()
        breaker = rows.known_breaker(self.database, name)
        it = turn(breaker, now)
        if it is Turn.PROBE and not self._claims_probe(name, now):
            it = Turn.WAIT
        return it, self._sentence(name, breaker) if it is Turn.WAIT else ""

    def _claims_probe(self, name: str, now: datetime) -> bool:
        """One of all workers of all processes gets it."""
        claimed = rows.step(
            self.database, name, lambda seen: probing(seen, now) if turn(seen, now) is Turn.PROBE else None
        )
        return claimed is not None

    def _sentence(self, name: str, breaker: Breaker) -> str:
        return sentence(name, breaker, self._queued(name), self.clock().astimezone())

    def _queued(self, name: str) -> int:
        return rows.queued(self.database, self._names(name))

    def _names(self, name: str) -> list[str]:
        """Under which names results wait for it."""
        return [name, *groups_with(name, self.groups)]
