"""The audit trail: who did what, chained like the ledger so that a changed or missing line shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

GENESIS = "0" * 64


class What(StrEnum):
    """Events that more than one place must know by name; others are named where they happen, as `thing.done`."""

    SIGNED_IN = "session.begin"
    SIGN_IN_FAILED = "session.failed"
    LOCKED_OUT = "session.locked_out"
    SIGNED_OUT = "session.end"
    REFUSED = "request.refused"
    REQUEST = "request"  # a change that left no line of its own
    AUDIT_READ = "audit.read"
    QUERIED = "dicomweb.query"
    RETRIEVED = "dicomweb.retrieve"
    FOUND = "dimse.query"  # C-FIND
    SENT = "dimse.retrieve"  # C-MOVE, C-GET: one line for each study of the request
    SEARCHED = "trace.search"  # by a page or the API
    VIEWED = "picture.view"  # slices on the page of a job
    DELIVERED = "delivery.sent"  # results that went to a destination
    ERASED = "dicomweb.delete"
    GAP = "audit.gap"  # more was read than could be written down
    STARTED = "node.start"
    STOPPED = "node.stop"


SEARCHES = frozenset({What.QUERIED, What.FOUND, What.SEARCHED})  # what was looked for may be a patient's name


class Kept(StrEnum):
    """What is told of only where it is wanted; changes, sign-ins and refusals always are."""

    QUERIES = "queries"
    RETRIEVALS = "retrievals"
    DELIVERIES = "deliveries"


KEPT_BY = {
    **dict.fromkeys(SEARCHES, Kept.QUERIES),
    **dict.fromkeys((What.RETRIEVED, What.SENT, What.VIEWED), Kept.RETRIEVALS),
    What.DELIVERED: Kept.DELIVERIES,
}


@dataclass(frozen=True)
class Line:
    """One line, before it is chained."""

    at: datetime  # UTC
    actor: str
    address: str  # where the request came from; "": this machine
    what: str
    object: str  # what it was done to: "job 12", "user anna"
    before: str  # JSON, or "" where there is nothing to tell
    after: str
    reason: str
    ok: bool = True  # False: it was tried and refused


def link(previous: str, line: Line) -> str:
    """The digest of a line: sha256 over the previous digest and every field, each with its length in front."""
    fields = (
        previous,
        line.at.isoformat(timespec="microseconds"),
        line.actor,
        line.address,
        line.what,
        line.object,
        line.before,
        line.after,
        line.reason,
        str(int(line.ok)),
    )
    told = hashlib.sha256()
    for field in fields:
        content = field.encode("utf-8", "surrogateescape")
        told.update(f"{len(content)}:".encode() + content)
    return told.hexdigest()


def broken_links(lines: Iterable[tuple[int, str, str, Line]]) -> tuple[int, ...]:
    """The numbers of lines that do not follow from the line before.

    `lines` are (number, previous digest, digest, line) in the order of their numbers, from 1.
    """
    broken: list[int] = []
    expected_number, expected = 1, GENESIS
    for number, previous, digest, line in lines:
        if number != expected_number or previous != expected or link(previous, line) != digest:
            broken.append(number)
        expected_number, expected = number + 1, digest
    return tuple(broken)


def told(value: object) -> str:
    """A state before or after as the trail keeps it: text as it is, anything else as JSON with sorted keys."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
