"""Opening the index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event, insert, inspect, select
from sqlalchemy.pool import ConnectionPoolEntry

from node.adapters.database.engine import Database
from node.adapters.database.index.tables import VERSION, metadata, version
from node.errors import StoreUnavailable


@dataclass(frozen=True)
class Look:
    """A transaction that only reads, on the driver's own connection. SQL has ? for each parameter."""

    cursor: Any
    is_sqlite: bool

    def all(self, sql: str, values: Sequence[object]) -> Sequence[Sequence[Any]]:
        """The rows."""
        self.cursor.execute(sql if self.is_sqlite else sql.replace("?", "%s"), values)
        rows: Sequence[Sequence[Any]] = self.cursor.fetchall()
        return rows


class Index(Database):
    """A database for the index alone, or, on PostgreSQL, the node's."""

    def __init__(self, url: str) -> None:
        """Open it. Raises BadConfiguration for a URL that cannot be used."""
        super().__init__(url)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _made_again_if_lost)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def looking(self) -> Iterator[Look]:
        """Raises StoreUnavailable."""
        driver: Any = self.engine.dialect.dbapi
        with self.translated():
            connection = self.engine.raw_connection()
            try:
                cursor = connection.cursor()
                if self.is_sqlite:  # other drivers begin by themselves
                    cursor.execute("BEGIN")
                yield Look(cursor, self.is_sqlite)
                cursor.close()
            except (driver.OperationalError, driver.InterfaceError) as broken:
                connection.invalidate()
                raise StoreUnavailable(f"the database does not answer ({type(broken).__name__})") from broken
            finally:
                connection.close()  # which ends the transaction

    def migrate(self) -> None:
        """Make the tables where there are none of this version."""
        with self.transaction() as connection:
            there = inspect(connection).has_table(version.name)
            if there and connection.scalar(select(version.c.version)) == VERSION:
                return
            metadata.drop_all(connection)
            metadata.create_all(connection)
            connection.execute(insert(version).values(version=VERSION))


def _made_again_if_lost(connection: object, _entry: ConnectionPoolEntry) -> None:
    """No commit waits for the disk: what a power cut takes is indexed again."""
    assert isinstance(connection, sqlite3.Connection)  # noqa: S101 # for the type checker
    for pragma in ("synchronous=NORMAL", "foreign_keys=OFF", "cache_size=-32768", "mmap_size=1073741824"):
        connection.execute(f"PRAGMA {pragma}").close()
