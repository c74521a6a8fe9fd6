"""What the layer itself writes into the audit trail: reads of patients' images, and what nobody else wrote.

A change is written down before it is answered. What was read is written by a thread of its own, many lines at once: a
search must not wait for the disk, nor for its turn among those who receive.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from node.adapters.database import Database, audit
from node.adapters.database.audit import Asking
from node.core.access import Right
from node.core.audit import What
from node.errors import NodeError, StoreUnavailable
from node.web.access.demand import Visit
from node.web.access.guard import ANYBODY
from node.web.access.origin import SAFE
from node.web.access.peers import Peer

_log = structlog.get_logger(__name__)

_ONCE_IN = timedelta(minutes=10)  # one line tells of all reads of a study by one actor
_REMEMBERED = 2_000
_AT_ONCE = 256  # lines in one transaction
_STUDIES = "/dicom-web/studies"
_READS = (_STUDIES, "/dicom-web/series", "/dicom-web/instances")


@dataclass(frozen=True)
class _Read:
    """Who read what."""

    at: datetime
    actor: str
    address: str
    what: What
    on: str
    query: str


@dataclass
class Trail:
    """Writes lines that tell of requests."""

    database: Database
    clock: Callable[[], datetime]
    _told: OrderedDict[tuple[str, ...], datetime] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _reads: queue.SimpleQueue[_Read] = field(default_factory=queue.SimpleQueue)
    _writer: threading.Thread | None = None

    def tells(self, method: str, path: str, status: int, visit: Visit, who: Asking) -> bool:
        """Whether there is something to write: a change or a refusal without a line, or images that were looked at."""
        if visit.actor is None or status >= 500:
            return False
        if method in SAFE:
            return status < 400 and path.startswith(_READS)
        if status == 403:
            return True
        changed = any(right is not Right.READ for right in visit.demanded)
        return status < 400 and changed and who.noted == 0 and path.startswith("/api/")

    def answered(self, visit: Visit, method: str, path: str, query: str, status: int) -> None:
        """Write it, once for what repeats itself. Runs where the request's actor is known."""
        if visit.actor is None:
            return
        if method in SAFE:
            self._looked_at(visit, path, query)
            return
        refused = status == 403
        self._write(What.REFUSED if refused else What.REQUEST, f"{method} {path}", "", ok=not refused)

    def _looked_at(self, visit: Visit, path: str, query: str) -> None:
        if study := _retrieved(path):
            self._once(What.RETRIEVED, visit, f"study {study}", "")
        else:
            self._once(What.QUERIED, visit, path, query)

    def turned_away(self, peer: Peer, method: str, path: str, fault: NodeError) -> None:
        """Who was refused at the door, when a change was what he wanted; once for what repeats itself."""
        if method in SAFE or isinstance(fault, StoreUnavailable):
            return
        if not self._is_new((What.REFUSED, peer.address)):  # whatever it was: nobody fills the trail from outside
            return
        with audit.asking("anonymous", peer.address):
            self._write(What.REFUSED, f"{method} {path}"[:200], "", ok=False, reason=str(fault))

    def _once(self, what: What, visit: Visit, on: str, query: str) -> None:
        actor = visit.actor
        if actor is None:
            return
        told = ("",) if actor.name == ANYBODY.name else (on, query)  # who is nobody gets one line for all he asks
        if self._is_new((what, actor.name, actor.address, *told)):
            self._reads.put(_Read(self.clock(), actor.name, actor.address, what, on, query))
            self._demand_writer()

    def _demand_writer(self) -> None:
        with self._lock:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_reads, name="audit-reads", daemon=True)
                self._writer.start()

    def _write_reads(self) -> None:
        while True:
            some = [self._reads.get()]
            while len(some) < _AT_ONCE and not self._reads.empty():
                some.append(self._reads.get())
            try:
                self._note(some)
            except NodeError as fault:  # images are looked at although nobody can write it down
                _log.error("reads are not in the audit trail", instances=len(some), reason=str(fault))

    def _note(self, some: list[_Read]) -> None:
        with self.database.transaction() as connection:
            for one in some:
                with audit.asking(one.actor, one.address):
                    audit.note(connection, one.at, one.what, one.on, after=one.query)

    def _is_new(self, what: tuple[str, ...]) -> bool:
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

    def _write(self, what: What, on: str, after: str, *, ok: bool = True, reason: str = "") -> None:
        with self.database.transaction() as connection:
            audit.note(connection, self.clock(), what, on, after=after, reason=reason, ok=ok)


def _retrieved(path: str) -> str:
    """The study that a path retrieves something of (PS3.18 10.4); "" where it searches (10.6)."""
    study, *below = path.removeprefix(_STUDIES).strip("/").split("/") if path.startswith(_STUDIES) else [""]
    return "" if below and below[-1] in ("series", "instances") else study
