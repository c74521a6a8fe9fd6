"""What a STOW-RS server's answer means for each object that was sent (PS3.18 10.5.3 and annex I)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.adapters.destinations import Outcome
from node.core.status import Meaning, meaning

_REFERENCED, _FAILED = "00081199", "00081198"  # Referenced SOP Sequence, Failed SOP Sequence
_INSTANCE_UID, _FAILURE_REASON, _WARNING_REASON = "00081155", "00081197", "00081196"
_OK, _ACCEPTED, _CONFLICT = 200, 202, 409

# These judge the request's address or credentials, not the object: a person mends them, and then the object is taken.
# 404: the address of the service; 407: a proxy; 408, 425, 429: later.
_MENDABLE = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 429})
_NEVER = frozenset({501, 505})  # the server will not learn the request


@dataclass(frozen=True)
class StoreAnswer:
    """A response to a Store transaction."""

    status: int
    stored: Mapping[str, int | None]  # SOP Instance UID → Warning Reason, if any
    failed: Mapping[str, int]  # SOP Instance UID → Failure Reason
    readable: bool  # whether the body is a Store Instances Response at all


def read(status: int, body: bytes) -> StoreAnswer:
    """Read a response in the DICOM JSON Model; never raises, whatever the body holds."""
    try:
        found = json.loads(body)
    except ValueError:
        return StoreAnswer(status, {}, {}, readable=False)
    module = found[0] if isinstance(found, list) and found else found
    if not isinstance(module, dict):
        return StoreAnswer(status, {}, {}, readable=False)
    stored = {uid: _number(item, _WARNING_REASON) for uid, item in _items(module, _REFERENCED)}
    failed = {uid: _number(item, _FAILURE_REASON) or 0x0110 for uid, item in _items(module, _FAILED)}
    return StoreAnswer(status, stored, failed, readable=bool(stored or failed))


def waits(status: int) -> bool:
    """Whether this status says nothing of the objects: they wait as they would for a server that is down."""
    return status < _OK or 300 <= status < 400 or status in _MENDABLE or (status >= 500 and status not in _NEVER)


def judge(answer: StoreAnswer, sop_instance_uids: Sequence[str]) -> list[Outcome]:
    """One outcome for each object, for a status that does not wait."""
    return [_judged(answer, uid) for uid in sop_instance_uids]


def _judged(answer: StoreAnswer, uid: str) -> Outcome:
    if uid in answer.failed:
        reason = answer.failed[uid]
        return Outcome(meaning(reason), f"{answer.status}, Failure Reason {reason:04X}")
    if uid in answer.stored:
        warning = answer.stored[uid]
        return Outcome(Meaning.DELIVERED, f"{answer.status}" + (f", warning {warning:04X}" if warning else ""))
    if answer.status == _ACCEPTED:
        # Some were not stored, and nothing says which: sending it again is harmless, its bytes are the same.
        return Outcome(Meaning.WAIT, "202, and its answer does not name this object", is_well=True)
    if answer.status < 300:
        return Outcome(Meaning.DELIVERED, str(answer.status))
    return Outcome(Meaning.REFUSED, f"HTTP status {answer.status}")


def _items(module: Mapping[str, Any], tag: str) -> list[tuple[str, Mapping[str, Any]]]:
    items = _values(module, tag)
    return [(uid, item) for item in items if isinstance(item, dict) and (uid := _text(item))]


def _values(item: Mapping[str, Any], tag: str) -> list[Any]:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _text(item: Mapping[str, Any]) -> str:
    values = _values(item, _INSTANCE_UID)
    return values[0] if values and isinstance(values[0], str) else ""


def _number(item: Mapping[str, Any], tag: str) -> int | None:
    """A number, also where a server writes it as text."""
    values = _values(item, tag)
    try:
        return int(values[0]) & 0xFFFF if values else None
    except (TypeError, ValueError):
        return None
