"""Database, ledger and store."""

from __future__ import annotations

import sqlite3
import time
from functools import partial

from sqlalchemy import text

from node.adapters.database import Database, audit
from node.adapters.database.balance import balance
from node.adapters.database.engine import applied, revisions
from node.adapters.database.ledger import broken_chains
from node.adapters.database.series import missing_files
from node.adapters.objects import kept_size
from node.app.store import build_store
from node.config import Settings
from node.core.inspection import Verdict
from node.errors import BadConfiguration, StoreUnavailable
from node.pipeline.checking import Looked, Part

_QUICK_S = 20.0  # for SQLite's own check; a large database takes longer
_STEPS = 10_000  # of SQLite's machine between two looks at the clock
_SLOW_S = 0.25  # a question that a healthy database answers in a millisecond


def stored_parts(settings: Settings, database: Database, *, whole: bool) -> list[Part]:
    looks = 3600.0 if whole else 60.0
    return [
        Part("database", partial(_database, database), 20, "Look whether it runs, and at database.url"),
        Part("database integrity", partial(_integrity, settings, database), _QUICK_S + 10),
        Part("ledger", partial(_ledger, settings, database, whole), looks),
        Part("store", partial(_store, settings), 20, "Look at storage.url, and at the network between"),
    ]


def _database(database: Database) -> Looked:
    database.migrate()
    begin = time.monotonic()
    with database.reading() as connection:
        sqlite = connection.dialect.name == "sqlite"
        version = connection.scalar(text("SELECT sqlite_version()" if sqlite else "SHOW server_version"))
        revision = applied(connection)
    took = time.monotonic() - begin
    told = f"{'SQLite' if sqlite else 'PostgreSQL'} {version}, tables {revision} of {revisions()[-1]}"
    if took > _SLOW_S:
        return Looked(Verdict.ATTENTION, f"{told}; takes {took:.2f} s to answer", "Look at its load and its disk")
    return Looked(Verdict.OK, f"{told}; answers in {took * 1000:.0f} ms")


def _integrity(settings: Settings, database: Database) -> Looked:
    if database.engine.dialect.name != "sqlite":
        return Looked(Verdict.NOT_ASKED, "PostgreSQL checks its own pages where checksums are on")
    path = settings.database_url.removeprefix("sqlite:///")
    give_up = time.monotonic() + _QUICK_S
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            connection.set_progress_handler(lambda: time.monotonic() > give_up, _STEPS)
            found = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
        finally:
            connection.close()
    except sqlite3.OperationalError as stopped:
        if time.monotonic() > give_up:
            return Looked(Verdict.NOT_ASKED, f"too large to be checked in {_QUICK_S:g} s; what was read of it is sound")
        raise StoreUnavailable("the database cannot be read for its check") from stopped
    except sqlite3.DatabaseError as broken:
        raise BadConfiguration("", f"{path} is damaged", _RESTORE) from broken
    if found != ["ok"]:
        raise BadConfiguration("", f"{path} is damaged: {found[0][:200]}", _RESTORE)
    return Looked(Verdict.OK, "SQLite's quick check finds nothing")


_RESTORE = "Stop the node, keep the file, restore the last backup"


def _ledger(settings: Settings, database: Database, whole: bool) -> str:
    found = balance(database)
    if found.residue:
        cure = "Run check --ledger, keep the data"
        raise BadConfiguration("", f"{found.residue} acknowledged instances cannot be accounted for", cure)
    told = (
        f"{found.received} received = {found.delivered} delivered + {found.filtered} filtered"
        f" + {found.waiting} waiting + {found.held} held + {found.failed} failed"
    )
    return f"{told}; {_whole_ledger(database, settings)}" if whole else told


def _whole_ledger(database: Database, settings: Settings) -> str:
    broken = broken_chains(database)
    if broken:
        chain, numbers = next(iter(broken.items()))
        raise BadConfiguration("ledger", f"line {numbers[0]} of {chain} was changed or is missing", "Restore a backup")
    if lines := audit.broken(database):
        raise BadConfiguration("audit trail", f"line {lines[0]} was changed or is missing", "Restore a backup")
    files, _ = build_store(settings)
    missing = missing_files(database, partial(kept_size, files))
    if missing:
        raise BadConfiguration(
            "ledger", f"{len(missing)} stored files are missing or of another size, e.g. {missing[0]}"
        )
    return "its chain is whole, the audit trail's too, and every stored file is there"


def _store(settings: Settings) -> Looked:
    files, _ = build_store(settings)
    room = files.room()
    if room < 0:
        raise BadConfiguration(
            "storage.low_watermark", "less disk is free than that: nothing is accepted", "Make room or lower it"
        )
    if room < settings.storage.low_watermark:
        told = f"only {room / 1e9:.1f} GB above the low watermark: the oldest that is settled goes"
        return Looked(Verdict.ATTENTION, told, "Make room, or keep less by storage.keep_days")
    return Looked(Verdict.OK, f"{room / 1e9:.1f} GB above the low watermark")
