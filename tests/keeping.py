"""A node's destinations and sources, kept over the API as `serve` offers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from node.adapters.database import Database
from node.app.keeping import build_places_routers
from node.app.places import Places
from node.config import Settings
from node.config.mistakes import check
from node.web import Web, api_routes
from tests.clock import Clock
from tests.databases import migrated
from tests.waiting import NOON


def settings_of(folder: Path, **more: Any) -> Settings:
    """On loopback and free ports."""
    made = Settings.model_validate(
        {
            "node": {"data_dir": folder},
            "dicom": {"host": "127.0.0.1", "port": 0},
            "http": {"port": 0},
            "storage": {"low_watermark": 0},
            **more,
        }
    )
    check("test", made)
    return made


@dataclass(frozen=True)
class Kept:
    """What a test talks to."""

    api: httpx.Client
    database: Database
    places: Places

    def add(self, family: str, name: str, kind: str, keys: Mapping[str, Any], **more: Any) -> httpx.Response:
        return self.api.post(f"/{family}", json={"name": name, "kind": kind, "keys": keys, **more})


@contextmanager
def keeping(folder: Path, clock: Callable[[], Any] | None = None, **more: Any) -> Iterator[Kept]:
    settings = settings_of(folder, **more)
    database = migrated(Database(settings.database_url))
    places = Places(settings, database)
    web = Web(api_routes(build_places_routers(places, database, clock or Clock(NOON))))
    port = web.start("127.0.0.1", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60, trust_env=False) as client:
        yield Kept(client, database, places)
    web.stop()
    database.close()
