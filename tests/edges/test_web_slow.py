"""Slow clients over real sockets: who sends or reads nothing is let go, and who is merely slow is waited for."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from time import sleep

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from node.web import Web
from node.web.connections import Bounds

ENDLESS = b"x" * 65536
WHOLE = bytes(range(256)) * (1 << 16)  # 16 MiB: more than the system holds for a client


class Reading:
    """An application that counts what it is sent, and one whose answer never ends."""

    def __init__(self) -> None:
        self.begins_after_s = 0.0
        self.gone = threading.Event()

    async def count(self, request: Request) -> PlainTextResponse:
        await asyncio.sleep(self.begins_after_s)
        number = 0
        try:
            async for chunk in request.stream():
                number += len(chunk)
        except Exception:
            self.gone.set()
            raise
        return PlainTextResponse(str(number))

    async def tell(self, _request: Request) -> StreamingResponse:
        return StreamingResponse(self._endless())

    async def whole(self, _request: Request) -> Response:
        return Response(WHOLE)

    async def _endless(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield ENDLESS
                await asyncio.sleep(0)
        finally:
            self.gone.set()


@pytest.fixture
def reading() -> Reading:
    return Reading()


@contextmanager
def served(reading: Reading, bounds: Bounds) -> Iterator[int]:
    routes = [
        Route("/count", reading.count, methods=["POST"]),
        Route("/tell", reading.tell),
        Route("/whole", reading.whole),
    ]
    web = Web(routes, bounds=bounds)
    try:
        yield web.start("127.0.0.1", 0)
    finally:
        web.stop()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def answered(client: socket.socket) -> bytes:
    """All until it ends."""
    content = b""
    with suppress(ConnectionError):
        while chunk := client.recv(65536):
            content += chunk
    return content


def head(length: int) -> bytes:
    return f"POST /count HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n".encode()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_body_of_which_nothing_comes_is_given_up(reading: Reading) -> None:
    with served(reading, Bounds(window_s=0.2, window_bytes=100)) as port, connected(port) as client:
        client.sendall(head(10**9) + b"x" * 10)
        assert answered(client) == b""
        assert reading.gone.wait(60)


def test_a_body_that_comes_slowly_is_waited_for(reading: Reading) -> None:
    with served(reading, Bounds(window_s=3.0, window_bytes=2)) as port, connected(port) as client:
        client.sendall(head(30 * 10))
        for _ in range(30):
            client.sendall(b"x" * 10)
            sleep(0.13)
        assert answered(client).endswith(b"\r\n\r\n300")


def test_a_body_that_the_node_does_not_want_yet_waits(reading: Reading) -> None:
    """A gigabyte of STOW-RS stands still while the disk is busy."""
    reading.begins_after_s = 2.5
    with served(reading, Bounds(window_s=1.0, window_bytes=100)) as port, connected(port) as client:
        client.sendall(head(4 << 20) + b"x" * (4 << 20))
        assert answered(client).endswith(str(4 << 20).encode())


def test_an_answer_that_nobody_reads_is_given_up(reading: Reading) -> None:
    with served(reading, Bounds(unread_s=0.3)) as port, connected(port) as client:
        client.sendall(b"GET /tell HTTP/1.1\r\nHost: node\r\n\r\n")
        assert reading.gone.wait(60)


def test_an_answer_that_is_read_on_goes_on(reading: Reading) -> None:
    with served(reading, Bounds(unread_s=3.0)) as port, connected(port) as client:
        client.sendall(b"GET /tell HTTP/1.1\r\nHost: node\r\n\r\n")
        for _ in range(40):
            assert client.recv(1 << 20)
            sleep(0.1)
        assert not reading.gone.is_set()


def test_a_large_answer_is_read_as_slowly_as_a_small_one(reading: Reading) -> None:
    with served(reading, Bounds(unread_s=3.0)) as port, connected(port) as client:
        client.sendall(b"GET /whole HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
        content = b""
        while chunk := client.recv(1 << 16):
            content += chunk
            sleep(0.016)
        assert content.endswith(WHOLE)
