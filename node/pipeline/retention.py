"""Retention: bytes of what is settled go, the oldest first; and files that a crash left behind.

Rows outlive the bytes: first a row says that they are gone, then the files go, so a file that is missed is one that was
lost. What is cut off in between is swept up later: no row counts on it any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from node.adapters.database import Database
from node.adapters.database import retention as rows
from node.adapters.files import Files
from node.adapters.leftovers import clock_of, old_files
from node.adapters.objects import ResultFiles
from node.core.retention import Room, Stored, least_age, to_remove
from node.errors import NodeError

_log = structlog.get_logger(__name__)

_SERIES_AT_ONCE = 100
_NAMES_AT_ONCE = 500
_ABANDONED = timedelta(hours=1)  # a file that nobody wrote to for so long, and no row names
_HOUR = re.compile(r"\d{8}/\d{2}")
_JOB = re.compile(r"job-(\d{1,18})")


@dataclass(frozen=True)
class Retention:
    """What it needs to know of the store."""

    database: Database
    files: Files
    results: ResultFiles
    results_folder: Path
    clock: Callable[[], datetime]
    keep: timedelta | None = None  # None: as long as there is room
    wanted_free: int | None = None  # bytes above the low watermark; None: no room is made

    def remove_settled(self) -> int:
        """Remove the bytes of a few series that may go now; of how many. Raises StoreUnavailable."""
        now, room = self.clock(), Room(self.keep, self._missing())
        if (least := least_age(room)) is None:
            return 0
        chosen = to_remove(rows.oldest(self.database, _SERIES_AT_ONCE, now - least), room, now)
        return sum(self._remove(one) for one in chosen)

    def sweep(self) -> Iterator[int]:
        """Remove what no row names and nobody wrote to for an hour; after each folder, how many files that were.

        By the node's clock and by the disk's: where these differ, a file that was just written must not look old.
        """
        before = min(self.clock(), clock_of(self.files.root)) - _ABANDONED
        for names in old_files(self.files.root, _HOUR, before):
            yield self._sweep(names, rows.named, self.files.remove)
        for names in old_files(self.results_folder, _JOB, before):
            yield self._sweep(self._of_finished_jobs(names), rows.named_results, self.results.drop)

    def _missing(self) -> int:
        return 0 if self.wanted_free is None else max(0, self.wanted_free - self.files.room())

    def _remove(self, one: Stored) -> bool:
        now = self.clock()
        old = self.keep is not None and now - one.since > self.keep
        why = f"kept for {self.keep.days} days" if old and self.keep is not None else "to make room"
        reason = f"its bytes were removed, {why}; settled since {one.since:%Y-%m-%d %H:%M} UTC"
        removed = rows.remove(self.database, one, reason, now)
        if removed is None:
            return False
        instances, results = removed
        _each(instances, self.files.remove)
        _each(results, self.results.drop)
        _log.info("bytes removed", series_instance_uid=one.series_instance_uid, size=one.size, reason=why)
        return True

    def _of_finished_jobs(self, names: Sequence[str]) -> list[str]:
        """A job that waits may have left labels for its next attempt."""
        numbers = {name: int(found[1]) for name in names if (found := _JOB.match(name))}
        still_open = rows.open_jobs(self.database, set(numbers.values()))
        return [name for name, number in numbers.items() if number not in still_open]

    def _sweep(
        self,
        names: Sequence[str],
        named: Callable[[Database, Sequence[str]], set[str]],
        remove: Callable[[str], None],
    ) -> int:
        left: list[str] = []
        for start in range(0, len(names), _NAMES_AT_ONCE):
            some = names[start : start + _NAMES_AT_ONCE]
            there = named(self.database, some)
            left += [name for name in some if name not in there]
        if left:
            _each(left, remove)
            _log.warning("files removed that no row names", files=len(left))
        return len(left)


def _each(names: Sequence[str], remove: Callable[[str], None]) -> None:
    """One that cannot be removed now is swept up later."""
    for name in names:
        try:
            remove(name)
        except NodeError as failed:
            _log.warning("file not removed", reason=str(failed))
