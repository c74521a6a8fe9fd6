"""What commands of users and tokens open."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from node.adapters.database import Database
from node.app.clock import utc_now
from node.config import load

if TYPE_CHECKING:
    from node.app.access import Doors

ACTOR = "command line"


def who() -> str:
    """Who sits here, as the audit trail shows it."""
    return f"{ACTOR} ({getpass.getuser()})"


@contextmanager
def doors(config: Path | None) -> Iterator[Doors]:
    """The users of a node's database."""
    from node.app.access import Doors  # only here: it takes a second

    settings = load(config)
    database = Database(settings.database_url)
    try:
        database.migrate()
        yield Doors(settings, database, utc_now)
    finally:
        database.close()
