"""Statements compiled once. The reception runs the same few hundreds of times a second, and building an SQLAlchemy
expression, its cache key and its parameters each time costs more than SQLite does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Executable
from sqlalchemy.sql import ClauseElement

Row = Mapping[str, object]
_Convert = Callable[[Any], Any]


class Prepared:
    """One statement for one dialect. Parameters are given by name, for as many rows as there are."""

    def __init__(self, dialect: Dialect, statement: Executable) -> None:
        if not isinstance(statement, ClauseElement):
            raise TypeError("only SQL expressions can be prepared")
        compiled: Any = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._names: Sequence[str] = compiled.positiontup if compiled.positional else tuple(compiled.binds)
        self._positional: bool = compiled.positional
        self._constants = {name: bind.value for name, bind in compiled.binds.items() if bind.value is not None}
        self._converted = {
            name: convert
            for name, bind in compiled.binds.items()
            if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }

    def run(self, connection: Connection, rows: Iterable[Row]) -> CursorResult[Any]:
        """Execute once, or once for each row."""
        given = [self._parameters(row) for row in rows]
        return connection.exec_driver_sql(self._sql, given if len(given) > 1 else given[0])

    def _parameters(self, row: Row) -> Any:
        values = {name: row[name] if name in row else self._constants.get(name) for name in self._names}
        for name, convert in self._converted.items():
            values[name] = convert(values[name])
        return tuple(values[name] for name in self._names) if self._positional else values
