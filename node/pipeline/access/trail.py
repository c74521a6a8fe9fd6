"""Looking at the audit trail, which leaves its own line there (PS3.15 A.5.3.2, Audit Log Used)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from node.adapters.database import Database, audit
from node.adapters.database.audit import Numbered, Wanted
from node.core.access import Actor, shown
from node.core.audit import SEARCHES, What

_ONCE_IN = timedelta(minutes=10)
_READERS = 50  # lines that are looked through


def look(
    database: Database, wanted: Wanted, before: int | None, most: int, actor: Actor, now: datetime
) -> Sequence[Numbered]:
    """The newest lines that are wanted and older than `before`, as this actor may see them."""
    _note(database, actor.name, now)
    return [_as_seen(one, actor) for one in audit.page(database, wanted, before, most)]


def _as_seen(one: Numbered, actor: Actor) -> Numbered:
    """What somebody searched for may be a patient's name."""
    if one.line.what not in SEARCHES:
        return one
    return replace(one, line=replace(one.line, after=shown(actor, one.line.after)))


def _note(database: Database, actor: str, now: datetime) -> None:
    lately = audit.page(database, Wanted(what=What.AUDIT_READ), None, _READERS)  # by one index, however long the trail
    if any(one.line.actor == actor and now - one.line.at < _ONCE_IN for one in lately):
        return
    with database.transaction() as connection:
        audit.note(connection, now, What.AUDIT_READ, "audit", actor=actor)
