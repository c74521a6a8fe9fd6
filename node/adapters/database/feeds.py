"""How far each feed has come. One transaction each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from node.adapters.database.engine import Database
from node.adapters.database.feed_tables import feed, missed


@dataclass(frozen=True)
class Place:
    """A change of another archive up to which everything is in the ledger."""

    position: int  # 0: nothing yet
    mark: str  # tells this change from another one that got the same number


START = Place(0, "")


@dataclass(frozen=True)
class FeedState:
    """What people want to know of a feed."""

    name: str
    place: Place
    fault: str  # "" while it gets on
    at: datetime
    missed: int  # instances that it could not get


def place(database: Database, name: str) -> Place:
    """Where the feed goes on."""
    with database.reading() as connection:
        row = connection.execute(select(feed.c.position, feed.c.mark).where(feed.c.name == name)).first()
    return Place(row.position, row.mark) if row else START


def keep_place(database: Database, name: str, reached: Place, now: datetime) -> None:
    """Everything up to this place is in the ledger."""
    _keep(database, name, {"position": reached.position, "mark": reached.mark, "at": now})


def note_fault(database: Database, name: str, fault: str, now: datetime) -> None:
    """Why the feed does not get on; "" when it does again."""
    _keep(database, name, {"fault": fault, "at": now})


def _keep(database: Database, name: str, values: dict[str, object]) -> None:
    with database.transaction() as connection:
        _write(connection, name, values)


def _write(connection: Connection, name: str, values: dict[str, Any]) -> None:
    changed = connection.execute(update(feed).where(feed.c.name == name).values(**values))
    if not changed.rowcount:
        connection.execute(insert(feed).values({"name": name, "position": 0, "mark": "", "fault": "", **values}))


def note_missed(database: Database, name: str, instance: str, reason: str, now: datetime) -> None:
    """The other archive has this instance and cannot give it."""
    with database.transaction() as connection:
        connection.execute(insert(missed).values(feed=name, at=now, instance=instance[:128], reason=reason))
        before = connection.scalar(select(feed.c.missed).where(feed.c.name == name).with_for_update()) or 0
        _write(connection, name, {"missed": before + 1, "at": now})


def states(database: Database) -> list[FeedState]:
    """Every feed that ever ran, by name."""
    with database.reading() as connection:
        rows = connection.execute(select(feed).order_by(feed.c.name)).all()
    return [FeedState(row.name, Place(row.position, row.mark), row.fault, row.at, row.missed) for row in rows]
