"""HTTP connections: how many, how long a request may take to be asked, how large its head and how slow its body may be.

uvicorn bounds none of it: a client that never ends its head or its body, or never reads its answer, would be kept, and
what it sends be held, for ever.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_UNREAD = 1 << 18  # bytes that are neither of a whole head nor of a body: header fields, trailers, chunk sizes
_PIECE = 1 << 18  # bytes of an answer that are handed on at once
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True)
class Bounds:
    """Of all connections together, and of each request."""

    most_connections: int = 1000
    asked_within_s: float = 20.0  # a head must be whole
    window_s: float = 30.0  # in which some of a body must come; two in a row without, and it is given up
    window_bytes: int = 4096  # so that the slowest line still sends a gigabyte, and nobody a byte a minute
    unread_s: float = 300.0  # in which an answer that waits must be read on


USUAL = Bounds()


def in_pieces(app: ASGIApp) -> ASGIApp:
    """Its answers in pieces, each when the one before was read on.

    uvicorn takes whatever it is given at once: a large one would have to be read to its end within `unread_s`, and over
    TLS within the half minute that a connection has to be closed.
    """

    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            body = memoryview(message.get("body", b""))
            if len(body) <= _PIECE:
                await send(message)
                return
            last = range(0, len(body), _PIECE)[-1]
            for at in range(0, len(body), _PIECE):
                more = at < last or message.get("more_body", False)
                await send({**message, "body": body[at : at + _PIECE], "more_body": more})

        await app(scope, receive, sent)

    return cut


class Bounded(HttpToolsProtocol):
    """One connection. Of too many, the one that has been asking for longest goes first."""

    def __init__(self, bounds: Bounds, **more: Any) -> None:
        super().__init__(**more)
        self._bounds = bounds
        self._unread = 0
        self._since = 0.0  # when it connected, or asked last
        self._giving_up: asyncio.TimerHandle | None = None
        self._came = 0  # bytes of a body in this window
        self._idle = 0  # windows in a row without enough of them
        self._window: asyncio.TimerHandle | None = None
        self._unheard: asyncio.TimerHandle | None = None

    @property
    def _asks(self) -> bool:
        """Whether nothing is being answered: there is no cycle yet, or it is over."""
        return bool(getattr(self.cycle, "response_complete", True))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        super().connection_made(transport)
        self._since = self.loop.time()
        self._expect_head()
        if len(self.connections) > self._bounds.most_connections:
            still = [one for one in self.connections if not one.transport.is_closing()]
            asking = [one for one in still if isinstance(one, Bounded) and one._asks]
            if len(still) > self._bounds.most_connections and asking:
                min(asking, key=lambda one: one._since).transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        self._body_came()
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        super().data_received(data)
        if self._unread > _MOST_UNREAD:
            self._end(_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_came()
        self._unread, self._since = 0, self.loop.time()
        self._expect_body()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        self._came += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        self._body_came()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unheard is None:
            self._unheard = self.loop.call_later(self._bounds.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        self._heard()
        super().resume_writing()

    def _expect_head(self) -> None:
        if self._giving_up is None:
            self._giving_up = self.loop.call_later(self._bounds.asked_within_s, self._end, _TOO_SLOW)

    def _head_came(self) -> None:
        if self._giving_up:
            self._giving_up.cancel()
            self._giving_up = None

    def _expect_body(self) -> None:
        self._came = self._idle = 0
        self._body_came()
        self._window = self.loop.call_later(self._bounds.window_s, self._look_at_body)

    def _look_at_body(self) -> None:
        """Give up a body of which nothing comes, unless it is we who do not want it yet."""
        wanted = not (self.flow.read_paused or self.cycle.body or self.cycle.waiting_for_100_continue)
        self._idle = self._idle + 1 if wanted and self._came < self._bounds.window_bytes else 0
        self._came = 0
        self._window = self.loop.call_later(self._bounds.window_s, self._look_at_body)
        if self._idle > 1:
            self._end(_TOO_SLOW)

    def _body_came(self) -> None:
        if self._window:
            self._window.cancel()
            self._window = None

    def _heard(self) -> None:
        if self._unheard:
            self._unheard.cancel()
            self._unheard = None

    def _end(self, answer: bytes) -> None:
        if self._asks and not self.transport.is_closing():
            self.transport.write(answer)
        self.transport.close()
