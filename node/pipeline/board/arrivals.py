"""Who sent how much lately: the ledger is followed, line by line once, and remembered minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from node.adapters.database import Database, arrivals
from node.adapters.database.index import followed

DAY, NOW = timedelta(hours=24), timedelta(minutes=5)
_LINES_AT_ONCE = 100_000  # that one look reads at most: a second's work


@dataclass(frozen=True)
class Arrived:
    """What one sender sent."""

    channel: str
    calling_ae: str
    last_at: datetime
    per_minute: float  # instances taken, over the last five minutes
    last_day: int
    refused_last_day: int


class Arrivals:
    """For one caller at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, int] = {}  # chain → last line that was read
        self._minutes: dict[tuple[str, str], dict[datetime, tuple[int, int]]] = {}
        self._last: dict[tuple[str, str], datetime] = {}

    def look(self, now: datetime) -> list[Arrived]:
        """What came within a day, as far as it was read. Raises StoreUnavailable."""
        left = _LINES_AT_ONCE
        for chain in followed.chains(self._database):
            left -= self._follow(chain, now, left)
        self._forget(now - DAY)
        return list(self._told(now))

    def _follow(self, chain: str, now: datetime, at_most: int) -> int:
        after = self._seen.get(chain)
        if after is None:
            after = arrivals.number_before(self._database, chain, now - DAY)
        last = min(arrivals.newest_number(self._database, chain), after + at_most)
        self._seen[chain] = last
        if last <= after:
            return 0
        for one in arrivals.minutes(self._database, chain, after, last):
            who = (one.channel, one.calling_ae)
            minutes = self._minutes.setdefault(who, {})
            taken, refused = minutes.get(one.begin, (0, 0))
            minutes[one.begin] = (taken + one.taken, refused + one.refused)
            self._last[who] = max(one.last_at, self._last.get(who, one.last_at))
        return last - after

    def _forget(self, before: datetime) -> None:
        for who, minutes in list(self._minutes.items()):
            for begin in [begin for begin in minutes if begin < before]:
                del minutes[begin]
            if not minutes:
                del self._minutes[who], self._last[who]

    def _told(self, now: datetime) -> Iterator[Arrived]:
        for (channel, calling_ae), minutes in self._minutes.items():
            lately = sum(taken for begin, (taken, _) in minutes.items() if begin > now - NOW)
            yield Arrived(
                channel=channel,
                calling_ae=calling_ae,
                last_at=self._last[channel, calling_ae],
                per_minute=lately / (NOW.total_seconds() / 60),
                last_day=sum(taken for taken, _ in minutes.values()),
                refused_last_day=sum(refused for _, refused in minutes.values()),
            )
