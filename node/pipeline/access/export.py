"""The audit trail on its way to the collector: nothing is left out, and nothing that receives or works waits for it.

What was sent is a number in the database, written after the collector has the batch: a kill in between sends the batch
again, with the same sequence numbers.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from node.adapters.database import Database, audit, exports
from node.adapters.database.audit import Numbered
from node.core.audit import Line, What
from node.core.audit.messages import message_of
from node.core.audit.parts import Source, named
from node.core.audit.syslog import syslog
from node.core.audit.transfers import received

_AT_ONCE = 200  # lines
_RECEIPTS = 5_000  # of the ledger, which few messages tell of
_OF_A_STUDY = frozenset({What.RETRIEVED, What.VIEWED, What.SENT, What.DELIVERED, What.ERASED})
_QUIET = timedelta(seconds=30)  # an association is mostly over by then


class Collector(Protocol):
    """What takes messages. Raises DestinationUnavailable when it is not known that it has them all."""

    def send(self, messages: Sequence[bytes]) -> None: ...


@dataclass
class Export:
    """Sends what was not sent yet."""

    database: Database
    collector: Collector
    source: Source
    process: str
    clock: Callable[[], datetime]
    host: str = field(default_factory=socket.gethostname)

    def begin(self) -> None:
        """The trail goes from its first line on; the ledger from now on, for it may be years long."""
        for chain, newest in exports.chains(self.database).items():
            if exports.cursor(self.database, _of(chain)) is None:
                exports.advance(self.database, _of(chain), newest, self.clock())

    def step(self) -> bool:
        """One batch of each. Whether there was anything."""
        sent = self._trail()
        for chain in exports.chains(self.database):
            sent = self._ledger(chain) or sent
        return sent

    def _trail(self) -> bool:
        lines = audit.after(self.database, exports.cursor(self.database, exports.TRAIL) or 0, _AT_ONCE)
        if not lines:
            return False
        self.collector.send([self._line(one) for one in lines])
        exports.advance(self.database, exports.TRAIL, lines[-1].number, self.clock())
        return True

    def _line(self, one: Numbered) -> bytes:
        seen = None
        if one.line.what in _OF_A_STUDY:
            seen = exports.study(self.database, self._uid(one.line))
        message = message_of(one.line, self.source, seen)
        return syslog(one.line.at, self.host, self.process, one.number, message.xml())

    def _uid(self, line: Line) -> str:
        job = line.object.removeprefix("job ")
        return exports.study_of_job(self.database, int(job)) if job.isdecimal() else named(line).uid

    def _ledger(self, chain: str) -> bool:
        beyond = exports.cursor(self.database, _of(chain)) or 0
        reach = exports.arrived(self.database, chain, beyond, self.clock() - _QUIET, _RECEIPTS)
        if reach.number == beyond:
            return False
        told = [(one, received(one, self.source).xml()) for one in reach.received]
        if told:
            self.collector.send([syslog(one.at, self.host, self.process, 0, xml) for one, xml in told])
        exports.advance(self.database, _of(chain), reach.number, self.clock())
        return True


def _of(chain: str) -> str:
    return f"receipts:{chain}"
