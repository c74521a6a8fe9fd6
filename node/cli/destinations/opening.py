"""What every command on destinations needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.adapters.database import Database
from node.app.clock import utc_now
from node.app.places import Places
from node.config import load
from node.pipeline.destinations import Destinations


@contextmanager
def opened(config: Path | None) -> Iterator[Destinations]:
    """The destinations of the settings and of their database."""
    from node.app.keeping import build_destinations  # only here: it takes a second

    settings = load(config)
    database = Database(settings.database_url)
    try:
        database.migrate()
        yield build_destinations(Places(settings, database), database, utc_now)
    finally:
        database.close()
