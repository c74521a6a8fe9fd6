"""Rules that need several series of one study: which series plays which part, and how long to wait.

The binding is a function of the complete series of the study and the time, so every series of the study comes to the
same one, whenever it is asked. Two needs are never met by one series: a list of names that are parts of each other
("T1", "T1 POST") cannot be satisfied by the longer one alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from node.core.rules.conditions import All, Memo
from node.core.rules.rule import Missing, Rule
from node.core.rules.subject import Readable
from node.core.rules.truth import Truth

SERIES_AT_MOST = 512  # of one study that are looked at, the first received

_BEGINNING, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Sibling:
    """A complete series of the study."""

    series_instance_uid: str
    received_at: datetime  # its last instance
    subject: Readable


@dataclass(frozen=True)
class Study:
    """The complete series of a study, and the time. `own` is among them."""

    own: str  # SeriesInstanceUID of the series that is decided on
    complete: Sequence[Sibling]
    now: datetime


def alone(subject: Readable) -> Study:
    """A series without its study: nothing is waited for."""
    return Study("", (Sibling("", _BEGINNING, subject),), _END)


@dataclass(frozen=True)
class Binding:
    """Who plays which part in a study rule."""

    own: str  # the SeriesInstanceUID that asked
    series: tuple[tuple[str, str], ...]  # (need, SeriesInstanceUID), in the order of the needs
    missing: tuple[str, ...]  # needs that no series meets
    ends_at: datetime  # when waiting for them ends
    over: bool  # whether it has

    @property
    def part(self) -> str:
        """The need that the asking series meets; empty when another series was preferred."""
        return next((need for need, uid in self.series if uid == self.own), "")

    @property
    def waiting(self) -> bool:
        """Whether a missing series may still come."""
        return bool(self.missing) and not self.over

    @property
    def carries(self) -> bool:
        """Whether the asking series carries the job: it meets the first need."""
        return bool(self.series) and self.series[0][1] == self.own

    @property
    def _end(self) -> str:
        return f"{self.ends_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    def sentence(self, missing: Missing) -> str:
        """Where the study stands, for people."""
        lacking = " and ".join(self.missing)
        if not self.part:
            return "other series of the study meet its needs"
        if self.waiting:
            return f"the series is the {self.part} of its study; waiting for {lacking} until {self._end}"
        if self.missing and missing is Missing.HOLD:
            return f"the series is the {self.part} of its study, but {lacking} did not come"
        without = f" without {lacking}" if self.missing else ""
        return f"the series is the {self.part} of its study{without}"


def bound(rule: Rule, study: Study) -> Binding:
    """Which series meets which need of the rule. Earlier needs, then earlier series, are served first."""
    series = sorted(study.complete, key=lambda one: (one.received_at, one.series_instance_uid))[:SERIES_AT_MOST]
    fitting = _fitting(rule, series)
    chosen = _chosen([fitting[need.name] for need in rule.needs])
    pairs = [(need.name, place) for need, place in zip(rule.needs, chosen, strict=True) if place is not None]
    ends_at = min((series[place].received_at for _, place in pairs), default=study.now) + rule.within
    return Binding(
        own=study.own,
        series=tuple((name, series[place].series_instance_uid) for name, place in pairs),
        missing=tuple(need.name for need, place in zip(rule.needs, chosen, strict=True) if place is None),
        ends_at=ends_at,
        over=study.now >= ends_at,
    )


def _fitting(rule: Rule, series: Sequence[Sibling]) -> Mapping[str, Sequence[int]]:
    """For each need the places of the series that could meet it."""
    found: dict[str, list[int]] = {need.name: [] for need in rule.needs}
    for place, one in enumerate(series):
        memo: Memo = {}
        for need in rule.needs:
            if All((rule.when, need.when)).evaluate(one.subject, memo).truth is Truth.TRUE:
                found[need.name].append(place)
    return found


def _chosen(fitting: Sequence[Sequence[int]]) -> list[int | None]:
    """A place for as many needs as possible, none twice; of all such choices the first."""
    most, chosen, taken = _most(fitting), list[int | None](), set[int]()
    for need, places in enumerate(fitting):
        met = len(taken) + 1
        left = (place for place in places if place not in taken)
        chosen.append(
            next((place for place in left if met + _most(_without(fitting[need + 1 :], {*taken, place})) == most), None)
        )
        taken |= {place for place in chosen[-1:] if place is not None}
    return chosen


def _without(options: Sequence[Sequence[int]], taken: set[int]) -> list[list[int]]:
    return [[place for place in places if place not in taken] for places in options]


def _most(options: Sequence[Sequence[int]]) -> int:
    """How many needs can be met at once (Kuhn's algorithm)."""
    held: dict[int, int] = {}

    def place_for(need: int, tried: set[int]) -> bool:
        for place in options[need]:
            if place not in tried:
                tried.add(place)
                if place not in held or place_for(held[place], tried):
                    held[place] = need
                    return True
        return False

    return sum(place_for(need, set()) for need in range(len(options)))
