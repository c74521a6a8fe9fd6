"""Statements compiled once and run on the driver's own connection.

The reception runs the same few hundreds of times a second. Building an SQLAlchemy expression, its cache key, its
parameters and its result each time costs several times what SQLite needs for the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Dialect, Executable
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql import ClauseElement

from node.adapters.database.engine import Database
from node.errors import StoreUnavailable

Row = Mapping[str, object]
_Convert = Callable[[Any], Any]

_DEADLOCK = "40P01"  # PostgreSQL ends one of two transactions that wait for each other


class Prepared:
    """One statement for one dialect. Parameters are given by name, for as many rows as there are."""

    def __init__(self, dialect: Dialect, statement: Executable) -> None:
        if not isinstance(statement, ClauseElement):
            raise TypeError("only SQL expressions can be prepared")
        compiled: Any = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self._names: Sequence[str] = compiled.positiontup if compiled.positional else tuple(binds)
        self._positional: bool = compiled.positional
        self._constants = {name: bind.value for name, bind in binds.items() if bind.value is not None}
        self._converted = {
            name: convert
            for name, bind in binds.items()
            if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }

    def run(self, connection: PoolProxiedConnection, rows: Iterable[Row]) -> Any:
        """Execute once, or once for each row; the driver's cursor. Raises what the driver raises."""
        given = [self._parameters(row) for row in rows]
        cursor = connection.cursor()
        if len(given) == 1:
            cursor.execute(self._sql, given[0])
        else:
            cursor.executemany(self._sql, given)
        return cursor

    def _parameters(self, row: Row) -> Any:
        values = {name: row[name] if name in row else self._constants.get(name) for name in self._names}
        for name, convert in self._converted.items():
            values[name] = convert(values[name])
        return tuple(values[name] for name in self._names) if self._positional else values


class TakenError(Exception):
    """Another writer took a key first: look again."""


class OwnConnection:
    """A connection that one thread keeps from transaction to transaction. A fault gives it up for a new one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._begins = database.engine.dialect.name == "sqlite"  # other drivers begin by themselves
        self._connection: PoolProxiedConnection | None = None

    def close(self) -> None:
        """Give it back."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[PoolProxiedConnection]:
        """Committed at the end, rolled back on any exception.

        Raises StoreUnavailable when the database is gone, TakenError when a key is, or another writer had to be let
        by.
        """
        with self._database.translated(), self._driver_translated():
            if self._connection is None:
                self._connection = self._database.engine.raw_connection()
            try:
                if self._begins:
                    self._connection.cursor().execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.commit()
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        """Explicitly: a driver's connection that is only closed keeps its locks while somebody holds a cursor of it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        driver: Any = self._database.engine.dialect.dbapi
        with suppress(driver.Error):
            connection.rollback()
        connection.invalidate()

    @contextmanager
    def _driver_translated(self) -> Iterator[None]:
        driver: Any = self._database.engine.dialect.dbapi
        try:
            yield
        except driver.IntegrityError as taken:
            raise TakenError from taken
        except (driver.OperationalError, driver.InterfaceError) as broken:
            if getattr(broken, "sqlstate", None) == _DEADLOCK:
                raise TakenError from broken
            raise StoreUnavailable(f"the database does not answer ({type(broken).__name__})") from broken
