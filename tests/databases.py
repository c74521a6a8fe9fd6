"""Databases of tests: with the tables of this release, made once; and one of each kind for what must hold on both."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from node.adapters.database import Database
from tests.postgresql import postgresql

KINDS = ["sqlite", "postgresql"]


@cache
def _with_tables() -> bytes:
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/node.db")
        database.migrate()
        database.close()
        return (Path(folder) / "node.db").read_bytes()


def lay_out(file: Path) -> None:
    """An empty SQLite database: a copy of the one that the migrations made, which is what takes them long."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_with_tables())


def migrated(database: Database) -> Database:
    """The same, with its tables. What lies there already stays."""
    file = database.engine.url.database
    if database.engine.dialect.name == "sqlite" and file and not Path(file).exists():
        lay_out(Path(file))
    database.migrate()
    return database


def database_url(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'node.db'}"
        return
    with postgresql() as found:
        yield found


@pytest.fixture(scope="module", params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One a module: a test that counts makes its own database empty."""
    yield from database_url(request.param, tmp_path_factory.mktemp("database"))
