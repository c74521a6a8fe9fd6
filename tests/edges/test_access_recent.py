"""Who was let in to read images a moment ago is let in again; for a second, for this, and not after a change."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import httpx
import pytest
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse

from node.core.access import LOCAL
from node.core.access.secrets import Lifetime
from node.pipeline.access.identify import Identify
from node.pipeline.access.reads import Reads
from node.web.access import guarded
from node.web.access.demand import Visit
from node.web.access.guard import Guard
from node.web.access.peers import Peer
from node.web.access.recent import Recent
from tests.clock import Clock
from tests.doors import House, home, lived_in, token_of
from tests.receiving import Store
from tests.waiting import NOON

__all__ = ["home", "lived_in"]

PEER = Peer("10.0.0.5", "https", "node.example", forwarded=False)
FRAME = "/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1"


def request(**headers: str) -> HTTPConnection:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "headers": raw})


@dataclass
class Seconds:
    """A clock that a test sets."""

    at: float = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def recent(seconds: Seconds) -> Recent:
    kept = Recent(seconds)
    kept.keep(request(cookie="session=a"), PEER, FRAME, "GET", Visit(LOCAL))
    return kept


def test_the_same_peer_with_the_same_credentials_is_known_for_a_second(recent: Recent, seconds: Seconds) -> None:
    seconds.at = 1.0
    found = recent.find(request(cookie="session=a"), PEER, "/dicom-web/studies", "GET")
    assert found is not None
    assert found.actor == LOCAL
    seconds.at = 1.05
    assert recent.find(request(cookie="session=a"), PEER, FRAME, "GET") is None


@pytest.mark.parametrize(
    ("headers", "peer", "path", "method"),
    [
        ({"cookie": "session=b"}, PEER, FRAME, "GET"),
        ({}, PEER, FRAME, "GET"),
        ({"cookie": "session=a", "authorization": "Bearer x"}, PEER, FRAME, "GET"),
        ({"cookie": "session=a"}, Peer("10.0.0.6", "https", "node.example", forwarded=False), FRAME, "GET"),
        ({"cookie": "session=a"}, Peer("10.0.0.5", "https", "other.example", forwarded=False), FRAME, "GET"),
        ({"cookie": "session=a"}, PEER, "/api/v1/users", "GET"),
        ({"cookie": "session=a"}, PEER, FRAME, "DELETE"),
        ({"cookie": "session=a"}, PEER, "/dicom-web/studies", "POST"),
    ],
)
def test_anybody_and_anything_else_is_looked_at(
    recent: Recent, headers: dict[str, str], peer: Peer, path: str, method: str
) -> None:
    assert recent.find(request(**headers), peer, path, method) is None


def test_a_change_or_a_page_is_never_kept() -> None:
    kept = Recent()
    kept.keep(request(), PEER, FRAME, "DELETE", Visit(LOCAL))
    kept.keep(request(), PEER, "/admin/jobs", "GET", Visit(LOCAL))
    assert kept.find(request(), PEER, FRAME, "GET") is None


@dataclass(frozen=True)
class Counting(Guard):
    """Knows whom it looked at."""

    looked: list[str] = field(default_factory=list)

    def visit(self, request: HTTPConnection, peer: Peer, method: str) -> Visit:
        self.looked.append(request.scope["path"])
        return super().visit(request, peer, method)


def test_a_viewer_that_asks_for_frames_is_not_looked_up_for_each_of_them(store: Store) -> None:
    clock = Clock(NOON)
    guard = Counting(store.database, clock, Identify(store.database, clock, Lifetime()), local=True)
    app = guarded(guard, Reads(store.database, clock))(PlainTextResponse("a frame"))

    async def ask() -> None:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for _ in range(20):
                assert (await client.get(FRAME)).status_code == 200
            for _ in range(3):
                assert (await client.get("/api/v1/session")).status_code == 200

    anyio.run(ask)
    assert guard.looked.count(FRAME) < 20
    assert guard.looked.count("/api/v1/session") == 3


@pytest.mark.parametrize(
    ("path", "method"), [("/api/v1/account/tokens/1", "DELETE"), ("/api/v1/session", "DELETE"),
                         ("/api/v1/users/anna", "PATCH"), ("/admin/oidc/callback", "GET")],
)  # fmt: skip
def test_whatever_may_end_a_right_ends_this_too(recent: Recent, path: str, method: str) -> None:
    recent.answered(FRAME, "GET")
    recent.answered("/dicom-web/studies", "POST")
    recent.answered("/api/v1/jobs", "GET")
    assert recent.find(request(cookie="session=a"), PEER, FRAME, "GET") is not None
    before = recent.changes
    recent.answered(path, method)
    assert recent.find(request(cookie="session=a"), PEER, FRAME, "GET") is None
    recent.keep(request(cookie="session=a"), PEER, FRAME, "GET", Visit(LOCAL), before)  # was looked up before it
    assert recent.find(request(cookie="session=a"), PEER, FRAME, "GET") is None


def test_a_token_that_is_revoked_reads_no_image_any_more(lived_in: House) -> None:
    bearer, client = token_of(lived_in, "anna", "read", sees_patients=True), lived_in.client()
    assert client.get(FRAME, headers=bearer).status_code == 404  # it was let in, and there is no such image
    assert lived_in.signed_in("anna").delete("/api/v1/account/tokens/1").status_code == 204
    assert client.get(FRAME, headers=bearer).status_code == 401
