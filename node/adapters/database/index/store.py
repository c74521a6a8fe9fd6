"""Opening the index."""

from __future__ import annotations

import sqlite3

from sqlalchemy import event, insert, inspect, select
from sqlalchemy.pool import ConnectionPoolEntry

from node.adapters.database.engine import Database
from node.adapters.database.index.tables import VERSION, metadata, version


class Index(Database):
    """A database for the index alone, or, on PostgreSQL, the node's."""

    def __init__(self, url: str) -> None:
        """Open it. Raises BadConfiguration for a URL that cannot be used."""
        super().__init__(url)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _made_again_if_lost)

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
