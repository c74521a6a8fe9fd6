"""What the layer itself writes into the audit trail: reads of patients' images, and what nobody else wrote.

A change is written down before it is answered. What was read is handed on (`pipeline.access.reads`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from node.adapters.database import Database, audit
from node.adapters.database.audit import Asking
from node.core.access import Right
from node.core.audit import What
from node.errors import NodeError, StoreUnavailable
from node.pipeline.access.reads import Lately, Reader, Reads
from node.web.access.demand import Visit
from node.web.access.guard import ANYBODY
from node.web.access.origin import SAFE
from node.web.access.peers import Peer

_STUDIES = "/dicom-web/studies"
_READS = (_STUDIES, "/dicom-web/series", "/dicom-web/instances")


@dataclass
class Trail:
    """Writes lines that tell of requests."""

    database: Database
    clock: Callable[[], datetime]
    reads: Reads
    _lately: Lately = field(init=False)

    def __post_init__(self) -> None:
        self._lately = Lately(self.clock)

    def is_change(self, method: str, path: str, status: int, visit: Visit, who: Asking) -> bool:
        """Whether a change or a refusal left no line yet."""
        if visit.actor is None or status >= 500 or method in SAFE:
            return False
        if status == 403:
            return True
        changed = any(right is not Right.READ for right in visit.demanded)
        return status < 400 and changed and who.noted == 0 and path.startswith("/api/")

    def changed(self, method: str, path: str, status: int) -> None:
        """Write it. Runs where the request's actor is known."""
        refused = status == 403
        self._write(What.REFUSED if refused else What.REQUEST, f"{method} {path}", ok=not refused)

    def looked_at(self, visit: Visit, method: str, path: str, query: str, status: int) -> None:
        """Hand on what was read, once for what repeats itself."""
        if visit.actor is None or status >= 400:
            return
        for what, on, asked in visit.read:
            self._read(visit, what, on, asked)
        if method in SAFE and path.startswith(_READS):
            if study := _retrieved(path):
                self._read(visit, What.RETRIEVED, f"study {study}", "")
            else:
                self._read(visit, What.QUERIED, path, query)

    def turned_away(self, peer: Peer, method: str, path: str, fault: NodeError) -> None:
        """Who was refused at the door, when a change was what he wanted; once for what repeats itself."""
        if method in SAFE or isinstance(fault, StoreUnavailable):
            return
        if not self._lately.is_new((What.REFUSED, peer.address)):  # whatever it was: nobody fills it from outside
            return
        with audit.asking("anonymous", peer.address):
            self._write(What.REFUSED, f"{method} {path}"[:200], ok=False, reason=str(fault))

    def _read(self, visit: Visit, what: What, on: str, asked: str) -> None:
        actor = visit.actor
        if actor is None:
            return
        same = ("",) if actor.name == ANYBODY.name else (on, asked)  # who is nobody gets one line for all he asks
        self.reads.tell(what, on, asked, Reader(actor.name, actor.address), same)

    def _write(self, what: What, on: str, *, ok: bool = True, reason: str = "") -> None:
        with self.database.transaction() as connection:
            audit.note(connection, self.clock(), what, on, reason=reason, ok=ok)


def _retrieved(path: str) -> str:
    """The study that a path retrieves something of (PS3.18 10.4); "" where it searches (10.6)."""
    study, *below = path.removeprefix(_STUDIES).strip("/").split("/") if path.startswith(_STUDIES) else [""]
    return "" if below and below[-1] in ("series", "instances") else study
