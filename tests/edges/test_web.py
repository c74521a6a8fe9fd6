"""HTTP: alive, ready and metrics, from the parts of a running node."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
import pytest

from node.adapters.files import Files
from node.errors import BadConfiguration
from node.pipeline.models import Models
from node.web import Health, Web, api_routes, dicomweb_routes, health_routes
from node.web.connections import USUAL, Bounds
from tests.fakes import FakeModels
from tests.receiving import Store, encoded
from tests.synthetic import Grid, mr_series


@dataclass
class Page:
    """A running server and what a test may make of it."""

    url: str
    faults: dict[str, str] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=60)


class _Models(FakeModels):
    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__()
        self._faults = faults

    def faults(self) -> dict[str, str]:
        return self._faults


@contextmanager
def served(store: Store, bounds: Bounds) -> Iterator[Page]:
    made = Page("")
    health = Health(store.database, store.files, cast("Models", _Models(made.faults)), lambda: made.dead)
    routes = [*health_routes(health), *dicomweb_routes(store.reception, 1 << 20), *api_routes([])]
    web = Web(routes, bounds=bounds)
    made.url = f"http://127.0.0.1:{web.start('127.0.0.1', 0)}"
    try:
        yield made
    finally:
        web.stop()


@pytest.fixture
def page(store: Store) -> Iterator[Page]:
    with served(store, USUAL) as made:
        yield made


def metric(page: Page, name: str) -> float:
    (value,) = [line.split()[-1] for line in page.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(value)


def test_it_is_alive(page: Page) -> None:
    answer = page.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "alive\n")


def test_it_is_ready_when_nothing_speaks_against_it(page: Page) -> None:
    answer = page.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": []})


def test_a_model_whose_canary_failed_makes_it_unready_with_the_reason(page: Page) -> None:
    page.faults["mri_core_head"] = "the canary's answer is another one"
    answer = page.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["mri_core_head: the canary's answer is another one"]
    assert 'mricore_model_ready{model="mri_core_head"} 0.0' in page.get("/metrics").text


def test_a_listener_that_is_closed_makes_it_unready(page: Page) -> None:
    page.dead.append("the DICOM listener is not open")
    assert page.get("/readyz").json() == {"ready": False, "reasons": ["the DICOM listener is not open"]}


def test_a_full_disk_makes_it_unready(store: Store) -> None:
    full = Files(store.files.root, 1 << 60)
    health = Health(store.database, full, cast("Models", FakeModels()), list)
    assert health.unready() == ["less disk is free than storage.low_watermark"]


def test_a_database_that_does_not_answer_makes_it_unready_and_not_broken(page: Page, store: Store) -> None:
    database = store.folder / "node.db"
    store.database.close()
    for file in store.folder.glob("node.db*"):
        file.rename(file.with_suffix(".away"))
    database.mkdir()
    answer = page.get("/readyz")
    assert answer.status_code == 503
    assert "database" in answer.json()["reasons"][0]
    assert page.get("/healthz").status_code == 200
    database.rmdir()


def test_metrics_count_every_acknowledged_instance_and_the_residue(page: Page, store: Store) -> None:
    for ds in mr_series(Grid(slices=3)):
        store.receive(encoded(ds))
    text = page.get("/metrics").text
    assert 'mricore_ledger_instances{place="received"} 3.0' in text
    assert 'mricore_ledger_instances{place="waiting"} 3.0' in text
    assert metric(page, "mricore_ledger_residue_instances") == 0
    assert metric(page, "mricore_storage_room_bytes") > 0


def test_what_is_not_there_is_not_found(page: Page) -> None:
    assert page.get("/nothing").status_code == 404


def test_a_port_that_is_taken_names_the_key_and_the_cure(store: Store, tmp_path: Path) -> None:
    health = Health(store.database, store.files, cast("Models", FakeModels()), list)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadConfiguration, match=r"http\.port.*is in use.*Choose another port"):
            Web(health_routes(health)).start("127.0.0.1", port)


def test_the_api_describes_itself(page: Page) -> None:
    answer = page.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["info"]["title"] == "mricore-node"


def test_a_head_without_end_is_refused_before_it_fills_the_memory(page: Page) -> None:
    with connected(page) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: node\r\n")
        with suppress(ConnectionError):
            for number in range(400):
                client.sendall(f"x-{number}: {'y' * 1000}\r\n".encode())
        assert answered(client).startswith(b"HTTP/1.1 431 ")
    assert page.get("/healthz").status_code == 200


def test_trailers_without_end_are_not_held(page: Page) -> None:
    with connected(page) as client:
        client.sendall(b"POST /healthz HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")
        with suppress(ConnectionError):
            for _ in range(64_000):  # more than the system holds for a server that reads nothing
                client.sendall(b"x-trailer: " + b"y" * 1000)
            pytest.fail("64 megabytes of a trailer were taken")


def test_a_large_body_and_many_chunks_are_no_head(page: Page) -> None:
    chunks = (b"x" * 3 for _ in range(60_000))
    assert httpx.post(f"{page.url}/healthz", content=chunks, timeout=60).status_code == 405


def test_of_too_many_connections_the_one_that_has_asked_for_longest_goes(store: Store) -> None:
    with served(store, Bounds(most_connections=20)) as page, ExitStack() as held:
        silent = [held.enter_context(connected(page)) for _ in range(30)]
        assert page.get("/healthz").status_code == 200
        assert [answered(client) for client in silent[:10]] == [b""] * 10


def test_who_does_not_end_his_question_is_told_so_and_let_go(store: Store) -> None:
    with served(store, Bounds(asked_within_s=2.0)) as page, connected(page) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n")
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"GET /healthz HT")
        assert b"HTTP/1.1 408 " in answered(client)


def connected(page: Page) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(page.url.rpartition(":")[2])), timeout=60)


def answered(client: socket.socket) -> bytes:
    """Everything until the server ends the connection."""
    said = b""
    with suppress(ConnectionError):
        while piece := client.recv(1 << 16):
            said += piece
    return said
