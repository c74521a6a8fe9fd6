"""The database's clock: the one that all processes of a node share. Those of their machines may differ by a minute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy import ColumnElement, Connection, Float, func, literal_column, select

from node.adapters.database.engine import Database


@dataclass(frozen=True)
class _Look:
    """What the clock said, and when that was by a clock that nobody sets."""

    said: datetime
    at: float


class DatabaseClock:
    """Tells the database's time, counted on from the last look at it; the machine's own until the first."""

    def __init__(self, database: Database, own: Callable[[], datetime]) -> None:
        self._database, self._own = database, own
        self._last: _Look | None = None

    def __call__(self) -> datetime:
        last = self._last
        return last.said + timedelta(seconds=monotonic() - last.at) if last else self._own()

    def look(self) -> None:
        """Set it by the database. Raises StoreUnavailable; the time goes on from the last look."""
        with self._database.reading() as connection:
            connection.execute(select(1))  # whatever a new connection costs is not part of the journey
            begin = monotonic()
            said: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            end = monotonic()
        self._last = _Look(said, (begin + end) / 2)

    @property
    def ahead(self) -> timedelta:
        """How far the machine's own clock is ahead of the database's."""
        return self._own() - self()


def shared(database: Database, own: Callable[[], datetime]) -> DatabaseClock | None:
    """The clock of processes on several machines; None on SQLite, where there is one machine."""
    return DatabaseClock(database, own) if database.engine.dialect.name == "postgresql" else None


def seconds_of(connection: Connection) -> ColumnElement[float]:
    """The database's clock as an expression, in seconds of the epoch."""
    if connection.dialect.name == "sqlite":
        return literal_column("(julianday('now') - 2440587.5) * 86400.0", Float)
    return literal_column("CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)", Float)
