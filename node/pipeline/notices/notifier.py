"""Looks at what is wrong, and tells whoever is to be told.

Causes, and what each was told of them, are rows: a restart changes nothing. A message counts as sent once it was taken
over, and the row is written after it: what falls between the two is sent twice, under one identifier.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from node.adapters.database import Database, deliveries
from node.adapters.database import notices as rows
from node.adapters.notices import Channel, Message
from node.core.breaker import CLOSED, Failure, Turn, after, turn
from node.core.notices import NEVER, Alarm, Kind, Listener, Told, What, due
from node.errors import DestinationUnavailable
from node.pipeline.board import Snapshot
from node.pipeline.notices.texts import TEST, Texts
from node.pipeline.notices.watch import LIMITS, Beside, Limits, sightings

_log = structlog.get_logger(__name__)

_ACCESSIONS_AT_MOST = 20


@dataclass(frozen=True)
class Somebody:
    """Who is told, and the way to him."""

    listener: Listener
    channel: Channel


@dataclass(frozen=True)
class Notifier:
    """What it needs. One process of the node does it."""

    database: Database
    snapshot: Callable[[], Snapshot]
    everybody: Sequence[Somebody]
    texts: Texts
    clock: Callable[[], datetime]
    node: str  # its AE title
    limits: Limits = LIMITS
    link: str = ""  # where the node's pages are to be had
    accession: bool = False  # whether accession numbers are told

    def look(self) -> None:
        """Note what is wrong now, and what rules said. Raises StoreUnavailable."""
        now = self.clock()
        breakers = deliveries.known_breakers(self.database)
        beside = Beside(
            held=rows.held(self.database),
            lost=rows.lost_processes(self.database, now),
            failing_since={name: one.since for name, one in breakers.items() if one.since},
        )
        rows.sighted(self.database, sightings(self.snapshot(), beside, self.limits, now), now)
        while rows.gather(self.database, now):
            pass

    def tell(self, still_going: Callable[[], bool] = lambda: True) -> int:
        """Send what is due; how many messages were taken. Somebody who cannot be reached stops nobody else."""
        sent = 0
        alarms = rows.open_or_told(self.database)
        for one in self.everybody:
            for alarm, told in alarms:
                if not still_going():
                    return sent
                if not self._may_try(one.listener.name):
                    break
                sent += self._tell(one, alarm, told.get(one.listener.name, NEVER))
        return sent

    def test(self, name: str) -> None:
        """Send a test message, whatever the hour. Raises DestinationUnavailable, KeyError."""
        one = {each.listener.name: each for each in self.everybody}[name]
        stamp = f"{self.clock():%Y%m%d%H%M%S}"
        subject, body = self.texts.fill(TEST, {"node": self.node, "link": self._link()})
        one.channel.send(Message(f"test-{name_part(name)}-{stamp}", subject, body, {"node": self.node, "state": TEST}))

    def _may_try(self, name: str) -> bool:
        found = rows.reaches(self.database).get(name)
        return turn(found.breaker if found else CLOSED, self.clock()) is not Turn.WAIT

    def _tell(self, one: Somebody, alarm: Alarm, told: Told) -> bool:
        now = self.clock()
        what = due(one.listener, alarm, told, now.astimezone())
        if what is None:
            return False
        message = self._message(one.listener.name, alarm, told, what)
        begin = time.monotonic()
        try:
            one.channel.send(message)
        except DestinationUnavailable as fault:
            took = timedelta(seconds=time.monotonic() - begin)
            asked = timedelta(seconds=fault.retry_after) if fault.retry_after else None
            failure = Failure(str(fault), took, asked)
            jitter = random.random()  # noqa: S311 # jitter
            rows.note_failure(self.database, one.listener.name, lambda before: after(before, failure, now, jitter))
            _log.warning("notice not sent", listener=one.listener.name, reason=str(fault))
            return False
        is_open = what is not What.RESOLVED
        knows = Told(told.messages + 1, is_open, alarm.number, alarm.severity, self.clock())
        rows.note_told(self.database, alarm, one.listener.name, knows, what, message.subject)
        return True

    def _message(self, name: str, alarm: Alarm, told: Told, what: What) -> Message:
        accessions: list[str] = []
        if self.accession and alarm.kind is Kind.RULE:
            accessions = rows.accession_numbers(self.database, alarm.id, told.number, _ACCESSIONS_AT_MOST)
        values: Mapping[str, object] = {
            "node": self.node,
            "id": alarm.id,
            "cause": f"{alarm.kind}:{alarm.name}" if alarm.name else alarm.kind,
            "kind": alarm.kind,
            "name": alarm.name,
            "severity": alarm.severity,
            "what": alarm.what,
            "number": alarm.number,
            "new": max(0, alarm.number - told.number),
            "since": f"{alarm.first_at:%Y-%m-%d %H:%M}",
            "until": f"{alarm.ended_at:%Y-%m-%d %H:%M}" if alarm.ended_at else "",
        }
        shown = f"Accession numbers: {', '.join(accessions)}" if accessions else ""
        subject, body = self.texts.fill(what, {**values, "link": self._link(), "accessions": shown})
        facts = {
            **{key: value if isinstance(value, int) else str(value) for key, value in values.items() if key != "id"},
            "alarm": alarm.id,
            "state": str(what),
            **({"accession_numbers": accessions} if accessions else {}),
        }
        return Message(f"notice-{alarm.id}-{name_part(name)}-{told.messages + 1}", subject, body, facts)

    def _link(self) -> str:
        return f"{self.link.rstrip('/')}/admin/notices" if self.link else ""


def name_part(name: str) -> str:
    """A name as part of an identifier: letters, digits and hyphens."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)
