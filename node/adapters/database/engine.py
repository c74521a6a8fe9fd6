"""The database: SQLite in WAL mode by default, PostgreSQL by URL. Foreign exceptions stop here."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from node.errors import BadConfiguration, StoreUnavailable, Usage

_MIGRATIONS = Path(__file__).parent / "migrations"
_SQLITE = {"timeout": 30}
_POSTGRESQL = {  # a server that is cut off says nothing, and without these would be waited for a quarter of an hour
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}
_DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})
_ONE_AT_A_TIME = 0x6D726902  # any number that nobody else locks


class Database:
    """An engine, its migrations and its transactions."""

    def __init__(self, url: str) -> None:
        """Open the database at an SQLAlchemy URL. Raises BadConfiguration for one that cannot be used."""
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() == "sqlite" and parsed.database:
                _make_room(parsed.database)
            told = _SQLITE if parsed.get_backend_name() == "sqlite" else _POSTGRESQL
            self.engine: Engine = create_engine(parsed, pool_pre_ping=True, connect_args=dict(told))
        except (ArgumentError, NoSuchModuleError, ImportError) as wrong:
            cure = "Write sqlite:///path or postgresql+psycopg://user@host/name (pip install mricore-node[postgresql])"
            raise BadConfiguration("database.url", "is not a database that this node can open", cure) from wrong
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _durable_wal)
            event.listen(self.engine, "begin", _begin)

    def migrate(self) -> None:
        """Bring the tables to this release's form. Harmless when they are.

        Raises BadConfiguration when a newer release has brought them further.
        """
        with self.transaction() as connection:
            if connection.dialect.name == "postgresql":  # replicas that start at once take turns
                connection.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
            found = applied(connection)
            demand_known(found)
            if found != revisions()[-1]:
                upgrade(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on any exception."""
        with self.translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees one moment: figures of several tables belong together.

        On SQLite it never waits for a writer, nor makes one wait.
        """
        options: dict[str, object] = {"reading": True}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        with self.translated(), self.engine.connect().execution_options(**options) as connection:
            yield connection

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Whatever the database says inside becomes an error of the node's."""
        try:
            yield
        except OperationalError as broken:
            raise StoreUnavailable(f"the database does not answer ({_said(broken)})") from broken
        except DataError as wrong:  # PostgreSQL keeps no NUL in a text
            raise Usage("what was asked or told holds a character or a number that the database cannot keep") from wrong
        except DBAPIError as broken:
            if broken.connection_invalidated:
                raise StoreUnavailable("the connection to the database was lost") from broken
            if _said(broken) in _DAMAGED:
                cure = "Restore a backup: docs/howto-backup.md"
                raise StoreUnavailable(
                    f"the database's file is damaged, or is none ({_said(broken)}). {cure}"
                ) from broken
            raise

    def close(self) -> None:
        self.engine.dispose()


def _said(broken: DBAPIError) -> str:
    """What it is, in the database's own word: SQLITE_READONLY tells more than OperationalError."""
    return str(getattr(broken.orig, "sqlite_errorname", None) or type(broken.orig).__name__)


def applied(connection: Connection) -> str:
    """The revision of the tables; "" where there are none."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the tables to a revision that this release knows."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@cache
def revisions() -> tuple[str, ...]:
    """Every revision that this release knows, the oldest first."""
    return tuple(one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions())[::-1]


def demand_known(revision: str) -> None:
    """Raises BadConfiguration when tables have been brought to a revision that a later release made."""
    if revision and revision not in (known := revisions()):
        raise BadConfiguration(
            "database.url",
            f"its tables are of revision {revision}, which a newer release made; this one knows them up to {known[-1]}",
            "Start the newer release, or restore the backup that was made before the upgrade (docs/howto-upgrade.md)",
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _make_room(name: str) -> None:
    """Its folder; and, for root, the file, as one of whom the folder belongs to, as SQLite does with its journals.

    What root's commands made the node could not write.
    """
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or name == ":memory:" or name.startswith("file:") or file.exists():
        return
    if (folder := file.parent.stat()).st_uid != 0:
        with suppress(OSError):  # what cannot be made SQLite tells of
            made = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)  # never behind a link
            try:
                os.fchown(made, folder.st_uid, folder.st_gid)
            finally:
                os.close(made)


def _durable_wal(connection: object, _entry: ConnectionPoolEntry) -> None:
    """synchronous=FULL makes a commit survive a power cut; WAL lets pages be read while instances come in."""
    assert isinstance(connection, sqlite3.Connection)  # noqa: S101 # for the type checker
    connection.isolation_level = None  # SQLAlchemy's BEGIN below, not the driver's own
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    """Take the write lock at the start: a reader that becomes a writer later would fail with SQLITE_BUSY."""
    only_reads = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")
