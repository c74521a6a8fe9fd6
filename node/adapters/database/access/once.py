"""Secrets that are used once and not for long: the first administrator's code, the state of a sign-in elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select

from node.adapters.database.access.tables import once
from node.adapters.database.engine import Database
from node.errors import Usage

FIRST_START, SIGN_IN = "first_start", "oidc"
_AT_MOST = 5_000  # of a kind; anybody may begin to sign in


def keep(
    database: Database, digest: str, kind: str, expires_at: datetime, now: datetime, content: Mapping[str, Any]
) -> None:
    """Write it, and sweep what is over. Raises Usage when too many wait."""
    with database.transaction() as connection:
        connection.execute(delete(once).where(once.c.expires_at <= now))
        if (connection.scalar(select(func.count()).select_from(once).where(once.c.kind == kind)) or 0) >= _AT_MOST:
            raise Usage("too many people sign in at this moment: try again in some minutes")
        row = {"digest": digest, "kind": kind, "expires_at": expires_at, "content": dict(content)}
        connection.execute(insert(once).values(row))


def take(database: Database, digest: str, kind: str, now: datetime) -> Mapping[str, Any] | None:
    """Its content, the first time and in time; None otherwise."""
    with database.transaction() as connection:
        mine = (once.c.digest == digest) & (once.c.kind == kind) & (once.c.expires_at > now)
        row = connection.execute(select(once).where(mine).with_for_update()).first()
        if row is None or not connection.execute(delete(once).where(once.c.digest == digest)).rowcount:
            return None
        return dict(row.content)
