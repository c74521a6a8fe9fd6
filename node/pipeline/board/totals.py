"""What is counted over all that ever came: with a million series it takes seconds, so nobody who asks waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from node.adapters.database import Database, job_counts
from node.adapters.database.balance import balance
from node.core.ledger import Balance
from node.pipeline.board.counting import Counting

_AT_LEAST_OLD_S = 1.0
_WAITS_S = 0.1  # so that the first look at a small node is whole


@dataclass(frozen=True)
class Totals:
    """Counted one after the other, at about one moment."""

    balance: Balance
    settled: job_counts.Counts
    missed_deadlines: int  # jobs that were late, finished ones too


def count(database: Database) -> Totals:
    """Count now. Raises StoreUnavailable."""
    return Totals(balance(database), job_counts.settled(database), job_counts.missed_deadlines(database))


class Counted:
    """The totals as they were counted last: in the background, for all who ask, a twentieth of the time at most."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._counting = Counting(partial(count, database), clock, _AT_LEAST_OLD_S)

    def __call__(self) -> tuple[Totals, datetime] | None:
        """And when that was. None: they are being counted for the first time."""
        return self._counting.last(_WAITS_S)
