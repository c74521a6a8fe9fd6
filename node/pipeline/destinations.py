"""How each destination and each group stands, and what people do with them: test, pause, resume."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from node.adapters.database import Database, pauses
from node.adapters.database import deliveries as rows
from node.adapters.destinations import Destination
from node.core.breaker import CLOSED, Breaker, clock_time, sentence
from node.core.inspection import Seen
from node.core.places import Family, Place, groups_with
from node.core.windows import closed_until
from node.errors import Overtaken
from node.pipeline.examination import Asked, Examination
from node.pipeline.gate import Policy
from node.pipeline.places import Places, members_of

FAULT, PAUSED, CLOSED_NOW, FAILING, QUEUED, IDLE = "fault", "paused", "maintenance", "failing", "queued", "idle"


@dataclass(frozen=True)
class Standing:
    """One destination as it is now."""

    place: Place
    state: str  # one of the words above
    told: str  # the same in a sentence
    queued: int
    oldest: datetime | None  # since when the oldest job is there that has something for it
    breaker: Breaker
    paused: pauses.Pause | None
    tested_at: datetime | None
    card: Mapping[str, Any]  # what the test saw; {}: none yet


@dataclass(frozen=True)
class GroupStanding:
    """One group as it is now."""

    place: Place
    members: Sequence[tuple[str, Standing | None]]  # in the order in which they are tried; None: there is none
    queued: int  # that any member may take
    oldest: datetime | None
    rules: Sequence[str]  # in use, that deliver to it


@dataclass(frozen=True)
class Destinations:
    """What the destinations of a node are asked and told."""

    database: Database
    places: Places
    policies: Mapping[str, Policy]
    groups: Mapping[str, tuple[str, ...]]
    build: Callable[[str], tuple[Destination, Asked]]  # raises BadConfiguration for TLS files that are no good
    clock: Callable[[], datetime]
    _tested: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def standings(self) -> list[Standing]:
        breakers, queued, cards = (
            rows.known_breakers(self.database), rows.all_queued(self.database), rows.capabilities(self.database)
        )  # fmt: skip
        paused = {one.name: one for one in pauses.listed(self.database) if one.kind == pauses.DESTINATION}
        now = self.clock().astimezone()
        found = []
        for place in self.places.listed(Family.DESTINATION):
            waiting = [queued[name] for name in self._names(place.name) if name in queued]
            number, oldest = sum(one[0] for one in waiting), min((one[1] for one in waiting), default=None)
            breaker, pause = breakers.get(place.name, CLOSED), paused.get(place.name)
            state, told = self._told(place, breaker, pause, number, now)
            at, card = cards.get(place.name, (None, {}))
            found.append(Standing(place, state, told, number, oldest, breaker, pause, at, card))
        return found

    def groups_now(self, standings: Sequence[Standing]) -> list[GroupStanding]:
        """Each group, with how its members stand."""
        queued = rows.all_queued(self.database)
        there = {one.place.name: one for one in standings}
        found = []
        for place in self.places.listed(Family.GROUP):
            members = [(member, there.get(member)) for member in members_of(place)]
            number, oldest = queued.get(place.name, (0, None))
            found.append(GroupStanding(place, members, number, oldest, self.places.naming_rules(place.name)))
        return found

    def group_now(self, name: str) -> GroupStanding:
        """Raises NoSuch."""
        self.places.get(Family.GROUP, name)
        return next(one for one in self.groups_now(self.standings()) if one.place.name == name)

    def standing(self, name: str) -> Standing:
        """Raises NoSuch."""
        self.places.get(Family.DESTINATION, name)
        return next(one for one in self.standings() if one.place.name == name)

    def test(self, name: str) -> Iterator[Seen]:
        """Each step when it is done; at the end the card is kept. Raises NoSuch; Overtaken while a test is under way.

        What goes wrong is a line, not an exception.
        """
        self.places.get(Family.DESTINATION, name)
        destination, asked = self.build(name)
        return self._test(name, destination, asked)

    def pause(self, name: str, actor: str) -> bool:
        """False when it was paused already. Raises NoSuch."""
        self.places.get(Family.DESTINATION, name)
        return pauses.pause(self.database, pauses.DESTINATION, name, actor, self.clock())

    def resume(self, name: str, actor: str) -> bool:
        """What waited is due at once, also where it failed before. False when it was not paused. Raises NoSuch."""
        self.places.get(Family.DESTINATION, name)
        return pauses.resume(
            self.database, pauses.DESTINATION, name, self.clock(), actor, groups_with(name, self.groups)
        )

    def _test(self, name: str, destination: Destination, asked: Asked) -> Iterator[Seen]:
        with self._alone(name), tempfile.TemporaryDirectory() as folder:
            examination = Examination(destination, asked, Path(folder))
            yield from examination.steps()
            card = examination.card()
        seen = {**vars(card), "forms": card.forms, "steps": [vars(one) for one in card.steps]}
        rows.keep_capability(self.database, name, seen, self.clock())

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Two tests of one destination would look for each other's object."""
        with self._lock:
            if name in self._tested:
                raise Overtaken(f"{name} is being tested: wait until that is done")
            self._tested.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._tested.discard(name)

    def _told(
        self, place: Place, breaker: Breaker, pause: pauses.Pause | None, number: int, now: datetime
    ) -> tuple[str, str]:
        if place.fault:
            return FAULT, place.fault
        if pause:
            return PAUSED, f"paused by {pause.actor}, {number} queued"
        policy = self.policies.get(place.name)
        if policy and (end := closed_until(policy.windows, now)):
            return CLOSED_NOW, f"maintenance until {clock_time(end, now)}, {number} queued"
        if breaker.is_open:
            return FAILING, sentence(place.name, breaker, number, now)
        return (QUEUED, f"{number} queued") if number else (IDLE, "nothing waits")

    def _names(self, name: str) -> Sequence[str]:
        return [name, *groups_with(name, self.groups)]
