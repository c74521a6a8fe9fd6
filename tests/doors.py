"""A node's HTTP with everybody asked who he is: a real database, the real layer, the real API, on port 0."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher

from node.adapters.database import Database
from node.app.access import Doors, certificates_of
from node.app.serving import build_web
from node.config import Settings
from node.core.access import Role
from node.pipeline.access.hashing import Hashing
from node.web import Health
from node.web.api.jobs import jobs_router
from tests.clock import Clock
from tests.fakes import FakeModels
from tests.receiving import Store
from tests.waiting import NOON

PASSWORD = "a door that opens twice"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class House:
    """What a test may look at."""

    url: str
    doors: Doors
    database: Database
    clock: Clock
    settings: Settings
    clients: ExitStack

    def add(self, name: str, role: Role, *, sees_patients: bool = True) -> None:
        self.doors.people.add(name, role, PASSWORD, sees_patients=sees_patients)

    def client(self, **more: Any) -> httpx.Client:
        """Somebody whom nobody knows yet."""
        made = httpx.Client(base_url=self.url, timeout=60, trust_env=False, **more)
        return self.clients.enter_context(made)

    def signed_in(self, name: str) -> httpx.Client:
        """Somebody with a cookie, whose changes show the token of the page."""
        client = self.client()
        answer = client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        client.headers["X-CSRF-Token"] = client.get("/api/v1/session").json()["csrf"]
        return client


@contextmanager
def house(store: Store, folder: Path, **settings: Any) -> Iterator[House]:
    """Until the end of the block."""
    made = Settings.model_validate({"node": {"data_dir": str(folder)}, **settings})
    clock = Clock(NOON)
    doors = Doors(made, store.database, clock)
    cheap = replace(doors.people, hashing=Hashing(CHEAP))
    doors.people, doors.signing_in = cheap, replace(doors.signing_in, hashing=cheap.hashing, people=cheap)
    health = Health(store.database, store.files, FakeModels(), list)  # type: ignore[arg-type] # what it asks of them
    routers = [jobs_router(store.database, clock)]
    web = build_web(made, health, store.reception, None, routers, clock, doors)
    port = web.start("127.0.0.1", 0, certificates_of(made))
    scheme = "https" if made.http.tls_certificate else "http"
    try:
        with ExitStack() as clients:
            yield House(f"{scheme}://127.0.0.1:{port}", doors, store.database, clock, made, clients)
    finally:
        web.stop()
