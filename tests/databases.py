"""Databases of tests: with the tables of this release, made once; and one of each kind for what must hold on both."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import create_engine, make_url, text

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


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A SQLite one, of the test alone."""
    opened = migrated(Database(f"sqlite:///{tmp_path / 'node.db'}"))
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a PostgreSQL in which a test makes its own databases; "" for SQLite."""
    if request.param == "sqlite":
        yield ""
        return
    with postgresql() as found:
        yield found


@cache
def _laid_out(server: str) -> str:
    """The name of the database with tables that others on this server are copies of."""
    database = Database(own_database(server, "laid_out"))
    database.migrate()
    database.close()
    return "laid_out"


def own_database(server: str, name: str, *, tables: bool = False) -> str:
    """URL of a new database on a PostgreSQL, in the place of one of the name: empty, or with this release's tables."""
    like = _laid_out(server) if tables else "template1"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {like}"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)
