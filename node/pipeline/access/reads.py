"""What is only read, on its way into the audit trail: many lines in one transaction, and nobody who reads waits for it.

A search or a frame must not wait for the disk, nor for its turn among those who receive: it leaves its line in memory,
and one thread writes what came together, once a second. A change never goes this way: its line is in its transaction.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from node.adapters.database import Database, audit
from node.core.audit import KEPT_BY, Kept, What

_ONCE_IN = timedelta(minutes=10)  # one line tells of all that is the same
_REMEMBERED = 2_000
_WAITING = 5_000  # lines in memory
_LONGEST = 8_000  # characters of what was asked: whoever asks must not fill it
_AT_ONCE = 500  # lines in one transaction


@dataclass
class Lately:
    """What was told a moment ago."""

    clock: Callable[[], datetime]
    _told: OrderedDict[tuple[str, ...], datetime] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_new(self, what: tuple[str, ...]) -> bool:
        """Whether it was not told in the last ten minutes; from now on it was."""
        now = self.clock()
        with self._lock:
            last = self._told.pop(what, None)
            if last is not None and now - last < _ONCE_IN:
                self._told[what] = last
                return False
            self._told[what] = now
            if len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
        return True


@dataclass(frozen=True)
class Reader:
    """Who reads, and from where."""

    name: str
    address: str


@dataclass(frozen=True)
class _Read:
    at: datetime
    reader: Reader
    what: What
    on: str
    after: str


class Reads:
    """Takes lines from any thread; `write` is called again and again, and works for one thread at a time."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        kept: Collection[Kept] = tuple(Kept),
        waiting: int = _WAITING,
    ) -> None:
        """`kept`: what is told of at all. No more than `waiting` lines wait in memory."""
        self._database, self._clock, self._kept, self._most = database, clock, frozenset(kept), waiting
        self._waiting: deque[_Read] = deque()
        self._untold = 0
        self._lately, self._lock, self._writing = Lately(clock), threading.Lock(), threading.Lock()

    def tell(self, what: What, on: str, after: str, reader: Reader, same: tuple[str, ...] | None = None) -> None:
        """`same`: told once in ten minutes of this reader, whatever else the line says; None: each time."""
        if KEPT_BY[what] not in self._kept:
            return
        if same is not None and not self._lately.is_new((what, reader.name, reader.address, *same)):
            return
        with self._lock:
            if len(self._waiting) < self._most:
                self._waiting.append(_Read(self._clock(), reader, what, on, after[:_LONGEST]))
            else:
                self._untold += 1

    def write(self) -> bool:
        """Write what waits, or so much of it as fits into a transaction. Whether there was anything.

        Raises StoreUnavailable; then all of it waits for the next time.
        """
        with self._writing:  # a node that stops writes the rest while its thread may still be at it
            return self._write()

    def _write(self) -> bool:
        with self._lock:
            some, untold = list(islice(self._waiting, _AT_ONCE)), self._untold
        if not some and not untold:
            return False
        with self._database.transaction() as connection:
            for one in some:
                with audit.asking(one.reader.name, one.reader.address):
                    audit.note(connection, one.at, one.what, one.on, after=one.after)
            if untold:
                why = "more was read at once than could be written down"
                audit.note(connection, self._clock(), What.GAP, "audit", after={"lines": untold}, reason=why, ok=False)
        with self._lock:
            self._untold -= untold
            for _ in some:
                self._waiting.popleft()
        return True
