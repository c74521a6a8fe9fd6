"""Databases as earlier releases left them: tests/fixtures/schemas/<revision>.sql.gz, rows of a demonstration.

`python -m tests.schemas NODE.DB` writes the fixture of the revision that a SQLite database is of. Made with the code of
its time: a phantom head of 32 slices through the whole node, three slices that no rule took, and a duplicate.
"""

from __future__ import annotations

import gzip
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine, func, insert, select

from node.adapters.database import Database
from node.adapters.database.engine import upgrade

FOLDER = Path(__file__).parent / "fixtures" / "schemas"
_VERSION = "alembic_version"


def kept() -> list[str]:
    """Revisions that there is a fixture of, the oldest first."""
    return sorted(file.name.partition(".")[0] for file in FOLDER.glob("*.sql.gz"))


def load(revision: str, file: Path) -> None:
    """Make a SQLite database of a revision."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(gzip.decompress((FOLDER / f"{revision}.sql.gz").read_bytes()).decode())


def load_into(database: Database, revision: str, folder: Path) -> None:
    """The same rows in an empty PostgreSQL: tables by the migrations up to the revision, rows from the fixture."""
    load(revision, folder / "source.db")
    engine = create_engine(f"sqlite:///{folder / 'source.db'}")
    with database.transaction() as connection:
        upgrade(connection, revision)
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            rows = _rows(engine, table.name) if table.name != _VERSION else []
            connection.execute(table.delete()) if rows else None
            for row in rows:
                connection.execute(insert(table).values(row))
            for column in table.primary_key.columns:
                sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
                if sequence and rows:
                    connection.execute(select(func.setval(sequence, max(row[column.name] for row in rows))))
    engine.dispose()


def _rows(engine: Engine, name: str) -> list[dict[str, Any]]:
    tables = MetaData()
    tables.reflect(engine, only=lambda found, _: found == name)
    if name not in tables.tables:
        return []
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(select(tables.tables[name]))]


def write(file: Path) -> Path:
    """The fixture of a database that nobody uses."""
    with closing(sqlite3.connect(file)) as connection:
        (revision,) = connection.execute(f"SELECT version_num FROM {_VERSION}").fetchone()  # noqa: S608
        text = "\n".join(connection.iterdump())
    target = FOLDER / f"{revision}.sql.gz"
    target.write_bytes(gzip.compress(text.encode(), mtime=0))
    return target


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))  # noqa: T201
