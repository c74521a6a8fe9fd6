"""Removals, one after the other: the index follows them as it follows the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from node.adapters.database.engine import Database
from node.adapters.database.removal_tables import removal
from node.adapters.database.turns import Turn, take_turn

RETENTION = "retention"  # who removes what nobody asked for


@dataclass(frozen=True)
class Gone:
    """Bytes that are not there any more."""

    store: str  # instances, results
    sop_instance_uid: str
    path: str  # relative to the store


def note(connection: Connection, at: datetime, actor: str, what: Iterable[tuple[str, str]]) -> None:
    """Write that these went: (SeriesInstanceUID, SOPInstanceUID; "" for the whole series with what was made of it).

    One transaction after the other does, so whoever has seen a number has seen all before it. Nothing that others hold
    may be asked for after it, but a turn that is taken later.
    """
    rows = [{"at": at, "actor": actor, "series_instance_uid": uid, "sop_instance_uid": sop} for uid, sop in what]
    if rows:
        take_turn(connection, Turn.REMOVAL)
        connection.execute(insert(removal), rows)


def newest(database: Database) -> int:
    """The number of the last one; 0 where there is none."""
    with database.reading() as connection:
        return connection.scalar(select(func.max(removal.c.number))) or 0
