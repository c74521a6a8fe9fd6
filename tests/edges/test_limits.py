"""A client that asks without end is told to wait; whoever watches the node, and this machine itself, never is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from node.core.rates import Rates
from node.web.limits import Limited


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("here")(scope, receive, send)


class _Asking:
    """Requests to an application behind a limit of one a second, at a told time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._limited = Limited(_app, Rates(per_second=1, burst=2), lambda: self.now)

    def __call__(self, client: str, path: str) -> tuple[int, dict[bytes, bytes]]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "client": (client, 1), "headers": []}
        asyncio.run(self._limited(scope, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"])


@pytest.mark.parametrize("path", ["/dicom-web/studies", "/api/v1/jobs", "/admin/", "/view/jobs/1"])
def test_who_asks_without_end_is_told_when_to_come_again(path: str) -> None:
    ask = _Asking()
    assert [ask("192.0.2.1", path)[0] for _ in range(3)] == [200, 200, 429]
    status, headers = ask("192.0.2.1", path)
    assert (status, headers[b"retry-after"], headers[b"content-type"]) == (429, b"1", b"application/problem+json")
    assert ask("192.0.2.2", path)[0] == 200
    ask.now = 1.0
    assert ask("192.0.2.1", path)[0] == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/ohif/app.js"])
def test_what_watches_the_node_is_never_told_to_wait(path: str) -> None:
    ask = _Asking()
    assert {ask("192.0.2.1", path)[0] for _ in range(10)} == {200}


def test_this_machine_itself_is_not_counted() -> None:
    ask = _Asking()
    assert {ask("127.0.0.1", "/api/v1/jobs")[0] for _ in range(10)} == {200}
