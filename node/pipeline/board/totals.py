"""What is counted over all that ever came: with a million series it takes seconds, so nobody who asks waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from node.adapters.database import Database, job_counts
from node.adapters.database.balance import Lines, balance, balance_after
from node.core.ledger import Balance
from node.pipeline.board.counting import Counting

_AT_LEAST_OLD_S = 1.0
_WHOLE_EVERY_S = 24 * 3600.0
_WAITS_S = 0.1  # so that the first look at a small node is whole


@dataclass(frozen=True)
class Totals:
    """Counted one after the other, at about one moment."""

    balance: Balance
    settled: job_counts.Counts
    missed_deadlines: int  # jobs that were late, finished ones too


def count(database: Database) -> Totals:
    """Count now. Raises StoreUnavailable."""
    return _totals(database, balance(database))


class Tally:
    """Counts again and again, one thread at a time: the ledger's lines that came since. All of them at first, once a
    day, and before a residue is told."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database, self._monotonic = database, monotonic
        self._lines: Lines | None = None
        self._whole_at = 0.0

    def __call__(self) -> Totals:
        """Raises StoreUnavailable."""
        if self._lines is None or self._monotonic() - self._whole_at >= _WHOLE_EVERY_S:
            return _totals(self._database, self._whole())
        found, self._lines = balance_after(self._database, self._lines)
        return _totals(self._database, self._whole() if found.residue else found)

    def _whole(self) -> Balance:
        found, self._lines = balance_after(self._database, None)
        self._whole_at = self._monotonic()
        return found


def _totals(database: Database, found: Balance) -> Totals:
    return Totals(found, job_counts.settled(database), job_counts.missed_deadlines(database))


class Counted:
    """The totals as they were counted last: in the background, for all who ask, a twentieth of the time at most."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._counting = Counting(Tally(database), clock, _AT_LEAST_OLD_S)

    def __call__(self) -> tuple[Totals, datetime] | None:
        """And when that was. None: they are being counted for the first time."""
        return self._counting.last(_WAITS_S)
