"""What commands of users and tokens open."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.adapters.database import Database
from node.app import utc_now
from node.app.access import Doors
from node.config import load

ACTOR = "command line"


def who() -> str:
    """Who sits here, as the audit trail shows it."""
    return f"{ACTOR} ({getpass.getuser()})"


@contextmanager
def doors(config: Path | None) -> Iterator[Doors]:
    """The users of a node's database."""
    settings = load(config)
    database = Database(settings.database_url)
    try:
        database.migrate()
        yield Doors(settings, database, utc_now)
    finally:
        database.close()
