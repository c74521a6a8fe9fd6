"""Wrong sign-ins, counted for names and for addresses; names that nobody has are counted alike."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from node.adapters.database.access.tables import failure
from node.adapters.database.engine import Database
from node.adapters.database.turns import Turn, take_turn
from node.core.access.lockout import FORGET_AFTER, Failures, after_failure, wait_seconds

_AT_MOST = 10_000  # anybody can make up names


def key_of(kind: str, text: str) -> str:
    """A name is kept as a digest: people type passwords where the name belongs."""
    return hashlib.sha256(f"{kind}\0{text.casefold()}".encode("utf-8", "replace")).hexdigest()


def admit(database: Database, allowed: Mapping[str, int], now: datetime, at_most: int = _AT_MOST) -> float:
    """Count a try against each key before it is made, so that many at once are counted too; 0 when it may be made.

    `allowed`: key → failures that cost nothing. Otherwise the seconds to wait, and nothing is counted. No more than
    `at_most` keys are kept.
    """
    with database.transaction() as connection:
        take_turn(connection, Turn.FAILURES)
        rows = connection.execute(select(failure).where(failure.c.key.in_(sorted(allowed))).with_for_update()).all()
        known = {row.key: Failures(row.number, row.last_at) for row in rows}
        wait = max(wait_seconds(known.get(key, Failures()), free, now) for key, free in allowed.items())
        if wait == 0:
            for key in sorted(allowed):
                _count(connection, key, known.get(key), now, at_most)
    return wait


def waiting(database: Database, allowed: Mapping[str, int], now: datetime) -> float:
    """The seconds that the next try has to wait."""
    with database.reading() as connection:
        rows = connection.execute(select(failure).where(failure.c.key.in_(sorted(allowed)))).all()
    return max((wait_seconds(Failures(row.number, row.last_at), allowed[row.key], now) for row in rows), default=0.0)


def succeeded(database: Database, name_key: str, address_key: str) -> None:
    """A right password: the name's failures are forgotten, and the try is no failure of the address."""
    with database.transaction() as connection:
        connection.execute(delete(failure).where(failure.c.key == name_key))
        mine = (failure.c.key == address_key) & (failure.c.number > 0)
        connection.execute(update(failure).where(mine).values(number=failure.c.number - 1))


def _count(connection: Connection, key: str, before: Failures | None, now: datetime, at_most: int) -> None:
    counted = after_failure(before or Failures(), now)
    values = {"number": counted.number, "last_at": now}
    if before:
        connection.execute(update(failure).where(failure.c.key == key).values(**values))
        return
    if _number(connection) >= at_most:
        connection.execute(delete(failure).where(failure.c.last_at <= now - FORGET_AFTER))
    if _number(connection) >= at_most:
        oldest = connection.scalars(select(failure.c.key).order_by(failure.c.last_at).limit(1)).all()
        connection.execute(delete(failure).where(failure.c.key.in_(oldest)))
    connection.execute(insert(failure).values(key=key, **values))


def _number(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(failure)) or 0
