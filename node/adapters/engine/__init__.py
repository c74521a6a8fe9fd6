"""What carries work between processes, behind a port. It carries row ids and nothing else: the rows are the truth."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

Carry = Callable[[str, int], None]  # queue and row id, in a thread of the engine's; raises nothing


class Engine(Protocol):
    """Calls back with every row id that was enqueued, at least once, in some process that lives.

    Whoever is called asks the row what there is to do, so a call too many is harmless, and one that got lost is
    made again by whoever compares `carried` with the rows.
    """

    def start(self, queues: Mapping[str, int], carry: Carry) -> None:
        """Begin to call; at most so many calls at once in this process for each queue.

        What this process was called for when it ended last time, it is called for again. Raises StoreUnavailable.
        """

    def enqueue(self, queue: str, row_id: int, *, rank: int = 0, delay_seconds: float = 0.0) -> None:
        """Ask for a call: lower ranks first, each in its order. Raises StoreUnavailable."""

    def carried(self, queue: str) -> frozenset[int]:
        """The row ids that wait for a call or are in one. Raises StoreUnavailable."""

    def withdraw(self, row_id: int) -> None:
        """Make no more calls for this row; one that runs is not ended. Raises StoreUnavailable."""

    def take_up(self, living: Collection[str]) -> int:
        """Calls that a process not among these was in are made anew elsewhere: how many. Raises StoreUnavailable."""

    def forget(self, most: int = 1000) -> int:
        """Drop so many at most of the calls that ended: how many there were. Raises StoreUnavailable."""

    def stop(self, grace_seconds: float) -> None:
        """Make no more calls, and wait for those that run as long as the grace goes."""
