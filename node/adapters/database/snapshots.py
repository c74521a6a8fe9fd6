"""The database at one moment, written to files and read from them again: SQLite's backup API, PostgreSQL's COPY.

Any release's tables are taken as they are: nothing here knows what is in them, but for the few columns that name files.
What is made again from the rest, the index, is left out; so are sessions, which end with the node that they were of.
"""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Table, create_engine, func, inspect, select, text
from sqlalchemy.pool import NullPool

from node.adapters.database.engine import Database, applied, upgrade
from node.adapters.database.index.tables import metadata as index_metadata
from node.core.ledger import Disposition
from node.errors import StoreUnavailable, Usage

SQLITE, ROWS = "node.db", "rows"  # of a snapshot: a file, or a folder with a file for each table
_VERSION = "alembic_version"
_LEFT_OUT = frozenset({_VERSION, *index_metadata.tables})
_EMPTIED = ("web_session", "one_time_secret", "sign_in_failure")
_ASIDE = (Disposition.CONFLICT.value, Disposition.REFUSED.value)
_FETCH = 5000


@dataclass(frozen=True)
class Named:
    """A file that the snapshot counts on."""

    store: str  # instances, or results
    path: str  # relative to it
    size: int  # bytes: of an instance, of its data set
    sha256: str  # likewise


class Snapshot:
    """What can be asked of one moment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tables = _reflected(connection)
        self.revision = applied(connection)

    def chains(self) -> dict[str, tuple[int, str]]:
        """Chain of the ledger → its last line's number and digest: whatever was acknowledged before stands in it."""
        receipt = self._tables["receipt"]
        last = select(receipt.c.chain, func.max(receipt.c.number)).group_by(receipt.c.chain)
        found = self._connection.execute(last).all()
        digest = select(receipt.c.digest)
        return {
            chain: (
                int(number),
                str(self._connection.scalar(digest.where(receipt.c.chain == chain, receipt.c.number == number))),
            )
            for chain, number in found
        }

    def named(self) -> Iterator[Named]:
        """Every file that a row counts on."""
        receipt = self._tables["receipt"]
        aside = (receipt.c.disposition.in_(_ASIDE), receipt.c.path != "")
        for store, table, wanted in (
            ("instances", self._tables["instance"], ()),
            ("instances", receipt, aside),
            ("results", self._tables["result"], ()),
        ):
            there = [*wanted] + ([table.c.removed_at.is_(None)] if "removed_at" in table.c else [])
            asked = select(table.c.path, table.c.size, table.c.sha256).where(*there)
            for row in self._connection.execution_options(yield_per=_FETCH).execute(asked):
                yield Named(store, row.path, int(row.size), row.sha256)


@contextmanager
def taken(database: Database, folder: Path) -> Iterator[Snapshot]:
    """Write the database as it is now into a folder. Raises StoreUnavailable; Usage when there is no node in it.

    Nobody who writes is kept waiting. What the snapshot answers is of the moment that was written.
    """
    if database.engine.dialect.name == "sqlite":
        file = folder / SQLITE
        with database.translated():
            _demand_a_node(database)
            _copy_sqlite(Path(str(database.engine.url.database)), file)
        with _reading(file) as connection:
            yield Snapshot(connection)
        return
    with database.reading() as connection:
        _demand_a_node(database)
        snapshot = Snapshot(connection)
        _copy_out(connection, folder / ROWS)
        yield snapshot


def last_lines(database: Database) -> dict[str, tuple[int, str]]:
    """Of each chain, as it is now: number and digest."""
    with database.reading() as connection:
        return Snapshot(connection).chains()


def is_unused(database: Database) -> bool:
    """Whether the ledger has no line: nothing was ever received here."""
    with database.reading() as connection:
        if not inspect(connection).has_table("receipt"):
            return True
        return connection.execute(text("SELECT 1 FROM receipt LIMIT 1")).first() is None


def of_others(database: Database) -> list[str]:
    """Tables that are there and that no release of a node made: they are not to be touched."""
    fresh = create_engine("sqlite://")
    try:
        with fresh.begin() as connection:
            upgrade(connection)
            own = {_VERSION, *inspect(connection).get_table_names(), *index_metadata.tables}
    finally:
        fresh.dispose()
    with database.reading() as connection:
        return sorted(set(inspect(connection).get_table_names()) - own)


def load(database: Database, folder: Path, revision: str) -> None:
    """Read a snapshot of the same kind of database into an unused one. Raises Usage when it is of the other kind."""
    kind = database.engine.dialect.name
    if kind == "sqlite":
        if not (folder / SQLITE).is_file():
            raise Usage("the backup is of a PostgreSQL: set database.url to an empty one")
        target = Path(str(database.engine.url.database))
        database.close()
        for left in (target, *(target.with_name(target.name + end) for end in ("-wal", "-shm"))):
            left.unlink(missing_ok=True)
        _copy_sqlite(folder / SQLITE, target)
        with database.transaction() as connection:
            _empty(connection, _reflected(connection), _EMPTIED)
        return
    if not (folder / ROWS).is_dir():
        raise Usage('the backup is of a SQLite database: set database.url to ""')
    with database.transaction() as connection:
        _drop(connection)
        upgrade(connection, revision)
        _copy_in(connection, folder / ROWS)


def _demand_a_node(database: Database) -> None:
    with database.reading() as connection:
        if not inspect(connection).has_table("receipt"):
            raise Usage("database.url: no node has used this database, there is nothing to back up")


def _copy_sqlite(source: Path, target: Path) -> None:
    """In one step: a copy in several would begin anew at each commit of somebody else."""
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new, pages=-1)
            new.execute("PRAGMA journal_mode=DELETE").close()  # one file, without a log beside it
    except sqlite3.Error as broken:
        raise StoreUnavailable(f"SQLite could not copy the database ({broken})") from broken


@contextmanager
def _reading(file: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _reflected(connection: Connection) -> Mapping[str, Table]:
    """The node's own tables, in the order in which rows may be inserted."""
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name not in _LEFT_OUT)
    return {table.name: table for table in found.sorted_tables}


def _copy_out(connection: Connection, folder: Path) -> None:
    folder.mkdir()
    for name, table in _reflected(connection).items():
        if name in _EMPTIED:
            continue
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        with (
            gzip.open(folder / f"{name}.gz", "wb", compresslevel=3) as file,
            _cursor(connection) as cursor,
            cursor.copy(f'COPY "{name}" ({columns}) TO STDOUT (FORMAT text, HEADER false)') as rows,
        ):
            file.write(f"{columns}\n".encode())
            for piece in rows:
                file.write(piece)


def _copy_in(connection: Connection, folder: Path) -> None:
    """Into tables of the same revision; then what numbers new rows goes on after the last."""
    tables = _reflected(connection)
    if unknown := {file.stem for file in folder.glob("*.gz")} - set(tables):
        raise Usage(f"the backup holds rows of tables that this release does not know: {', '.join(sorted(unknown))}")
    _empty(connection, tables, tuple(tables))  # what a migration wrote
    for name in tables:
        file = folder / f"{name}.gz"
        if not file.is_file():
            continue
        with gzip.open(file, "rb") as rows:
            columns = rows.readline().decode().strip()
            with _cursor(connection) as cursor, cursor.copy(f'COPY "{name}" ({columns}) FROM STDIN') as into:
                while piece := rows.read(1 << 20):
                    into.write(piece)
    for name, table in tables.items():
        for column in table.primary_key.columns:
            sequence = connection.scalar(select(func.pg_get_serial_sequence(f'"{name}"', column.name)))
            if sequence:
                highest = connection.scalar(select(func.max(column))) or 0
                connection.execute(select(func.setval(sequence, max(1, highest), highest > 0)))


@contextmanager
def _cursor(connection: Connection) -> Iterator[Any]:
    """The driver's own: SQLAlchemy has no COPY."""
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 # for the type checker
    with driver.cursor() as cursor:
        yield cursor


def _drop(connection: Connection) -> None:
    """Tables of a node that never received anything."""
    found = MetaData()
    found.reflect(connection)
    found.drop_all(connection)


def _empty(connection: Connection, tables: Mapping[str, Table], names: tuple[str, ...]) -> None:
    if connection.dialect.name == "postgresql":
        quoted = ", ".join(f'"{name}"' for name in names if name in tables)
        if quoted:
            connection.execute(text(f"TRUNCATE {quoted} CASCADE"))
        return
    for name in names:
        if name in tables:
            connection.execute(tables[name].delete())
