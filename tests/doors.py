"""A node's HTTP with everybody asked who he is: a real database, the real layer, the real API, on port 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import APIRouter

from node.adapters.database import Database, audit
from node.app.access import Doors, certificates_of
from node.app.places import Places
from node.app.serving import Shown, build_pages, build_routers, build_web
from node.config import Settings
from node.core.access import Role
from node.pipeline.access.hashing import Hashing
from node.web import Health, Web
from node.web.api.jobs import jobs_router
from tests.clock import Clock
from tests.fakes import FakeModels
from tests.receiving import Store, opened
from tests.waiting import NOON

PASSWORD = "a door that opens twice"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class House:
    """What a test may look at."""

    url: str
    doors: Doors
    store: Store
    clock: Clock
    settings: Settings
    web: Web
    clients: ExitStack

    @property
    def database(self) -> Database:
        return self.store.database

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
    """With the API of jobs, until the end of the block."""
    made, clock = _settings(folder, settings), Clock(NOON)
    with _served(store, made, clock, [jobs_router(store.database, clock, {})], lambda _pages: ()) as built:
        yield built


@contextmanager
def whole_house(folder: Path, **settings: Any) -> Iterator[House]:
    """With every route and every page of a node."""
    made, clock = _settings(folder, settings), Clock(NOON)
    with opened(folder) as store:
        places = Places(made, store.database)
        routers, shown = build_routers(places, store.database, clock), build_pages(places, store.database)
        with _served(store, made, clock, routers, shown) as built:
            yield built


def _settings(folder: Path, settings: dict[str, Any]) -> Settings:
    return Settings.model_validate({"node": {"data_dir": str(folder)}, **settings})


@contextmanager
def _served(
    store: Store, settings: Settings, clock: Clock, routers: Sequence[APIRouter], shown: Shown
) -> Iterator[House]:
    doors = Doors(settings, store.database, clock)
    cheap = replace(doors.people, hashing=Hashing(CHEAP))
    signing_in = replace(doors.signing_in, hashing=cheap.hashing, people=cheap)
    doors.people, doors.signing_in = cheap, signing_in
    if doors.oidc:
        doors.oidc = replace(doors.oidc, signing_in=signing_in)
    health = Health(store.database, store.files, FakeModels(), list)  # type: ignore[arg-type] # what it asks of them
    web = build_web(settings, health, store.reception, None, routers, clock, doors, shown)
    port = web.start("127.0.0.1", 0, certificates_of(settings))
    scheme = "https" if settings.http.tls_certificate else "http"
    try:
        with ExitStack() as clients:
            yield House(f"{scheme}://127.0.0.1:{port}", doors, store, clock, settings, web, clients)
    finally:
        web.stop()


@pytest.fixture
def home(store: Store, tmp_path: Path) -> Iterator[House]:
    """Nobody lives there yet."""
    with house(store, tmp_path) as built:
        yield built


@pytest.fixture
def lived_in(home: House) -> House:
    """With an administrator and a viewer who sees no patients."""
    home.add("anna", Role.ADMIN)
    home.add("bernd", Role.VIEWER, sees_patients=False)
    return home


def told(home: House, *what: str) -> list[tuple[str, str, str, bool]]:
    """Lines of the audit trail, the oldest first."""
    lines = [one.line for one in audit.after(home.database, 0, 1000)]
    return [(one.what, one.actor, one.object, one.ok) for one in lines if not what or one.what in what]


def sign_in(client: httpx.Client, name: str, password: str, **headers: str) -> httpx.Response:
    return client.post("/api/v1/session", json={"name": name, "password": password}, headers=headers)


def token_of(home: House, name: str, *scopes: str, **more: Any) -> dict[str, str]:
    """The header that shows a new token of somebody."""
    client = home.signed_in(name)
    made = client.post("/api/v1/account/tokens", json={"name": "ci", "scopes": list(scopes), **more})
    assert made.status_code == 201, made.text
    assert made.json()["secret"].startswith("mricore_")
    return {"Authorization": f"Bearer {made.json()['secret']}"}
