"""A breaker per destination: one that failed is left alone for a while, then tried with one delivery.

    closed ──failures──▶ open ──next_try_at──▶ half-open, one probe ──answered──▶ closed
                          ▲                          └──failed────┐
                          └───────────────────────────────────────┘

A failure that comes at once costs nothing, so it takes three in a row to open; one that took its time cost a worker
that time, and opens at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

OPENS_AFTER = 3  # quick failures in a row
SLOW = timedelta(seconds=4)  # a failure that took longer opens at once
PROBE_LEASE = timedelta(minutes=3)  # whoever probes is given so long before somebody else does

_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=15)
_LONGEST_RETRY_AFTER = timedelta(hours=1)


class Turn(StrEnum):
    """Whether a destination may be tried."""

    GO = "go"
    PROBE = "probe"  # one may: everybody else waits for what becomes of it
    WAIT = "wait"


@dataclass(frozen=True)
class Breaker:
    """What is known of a destination's failures in a row."""

    failures: int = 0
    since: datetime | None = None  # of the first of them
    next_try_at: datetime | None = None  # None: closed
    reason: str = ""  # of the last of them

    @property
    def is_open(self) -> bool:
        return self.next_try_at is not None


CLOSED = Breaker()


@dataclass(frozen=True)
class Failure:
    """A delivery that a destination did not answer, or answered with "later"."""

    reason: str
    took: timedelta
    retry_after: timedelta | None = None  # what it asked for itself


def turn(breaker: Breaker, now: datetime) -> Turn:
    """What may be done with a destination now."""
    if breaker.next_try_at is None:
        return Turn.GO
    return Turn.PROBE if breaker.next_try_at <= now else Turn.WAIT


def probing(breaker: Breaker, now: datetime) -> Breaker:
    """The breaker while somebody probes."""
    return Breaker(breaker.failures, breaker.since, now + PROBE_LEASE, breaker.reason)


def after(breaker: Breaker, failure: Failure, now: datetime, jitter: float) -> Breaker:
    """The breaker after one more failure; `jitter` in 0..1 spreads the tries of several nodes."""
    failures, since = breaker.failures + 1, breaker.since or now
    opens = breaker.is_open or failures >= OPENS_AFTER or failure.took >= SLOW or failure.retry_after
    if not opens:
        return Breaker(failures, since, None, failure.reason)
    wait = max(_wait(failures, jitter), min(failure.retry_after or timedelta(), _LONGEST_RETRY_AFTER))
    return Breaker(failures, since, now + wait, failure.reason)


def _wait(failures: int, jitter: float) -> timedelta:
    wait: timedelta = min(_FIRST_WAIT * (1 << min(failures - 1, 16)), _LONGEST_WAIT)
    return wait * (0.8 + 0.2 * jitter)


def sentence(name: str, breaker: Breaker, queued: int, now: datetime) -> str:
    """What people are told; times are in the zone of `now`."""
    since = f" since {clock_time(breaker.since, now)}" if breaker.since else ""
    again = f", next try {_when(breaker.next_try_at, now)}" if breaker.next_try_at else ""
    why = f" ({breaker.reason})" if breaker.reason else ""
    return f"waiting for {name}{since}, {queued} queued{again}{why}"


def _when(at: datetime, now: datetime) -> str:
    return clock_time(at, now) if at > now else "now"


def clock_time(at: datetime, now: datetime) -> str:
    """The time of day in the zone of `now`, which it names; with the date where it is not today's."""
    local = at.astimezone(now.tzinfo)
    return f"{local:%H:%M %Z}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M %Z}"
