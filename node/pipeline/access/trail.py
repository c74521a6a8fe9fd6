"""Looking at the audit trail, which leaves its own line there (PS3.15 A.5.3.2, Audit Log Used)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from node.adapters.database import Database, audit
from node.adapters.database.audit import Numbered, Wanted
from node.core.audit import What

_ONCE_IN = timedelta(minutes=10)


def look(
    database: Database, wanted: Wanted, before: int | None, most: int, actor: str, now: datetime
) -> Sequence[Numbered]:
    """The newest lines that are wanted and older than `before`."""
    _note(database, actor, now)
    return audit.page(database, wanted, before, most)


def _note(database: Database, actor: str, now: datetime) -> None:
    last = audit.page(database, Wanted(actor=actor, what=What.AUDIT_READ), None, 1)
    if last and now - last[0].line.at < _ONCE_IN:
        return
    with database.transaction() as connection:
        audit.note(connection, now, What.AUDIT_READ, "audit", actor=actor)
