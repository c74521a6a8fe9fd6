"""HTTP connections: how many, how long a request may take to be asked, and how large its head may be.

uvicorn bounds none of it: a client that never ends its head would be kept, and what it sends be held, for ever.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_UNREAD = 1 << 18  # bytes that are neither of a whole head nor of a body: header fields, trailers, chunk sizes
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True)
class Bounds:
    """Of all connections together, and of each request."""

    most_connections: int = 1000
    asked_within_s: float = 20.0  # a head must be whole


USUAL = Bounds()


class Bounded(HttpToolsProtocol):
    """One connection. Of too many, the one that has been asking for longest goes first."""

    def __init__(self, bounds: Bounds, **more: Any) -> None:
        super().__init__(**more)
        self._bounds = bounds
        self._unread = 0
        self._since = 0.0  # when it connected, or asked last
        self._giving_up: asyncio.TimerHandle | None = None

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
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        super().on_message_complete()

    def _expect_head(self) -> None:
        if self._giving_up is None:
            self._giving_up = self.loop.call_later(self._bounds.asked_within_s, self._end, _TOO_SLOW)

    def _head_came(self) -> None:
        if self._giving_up:
            self._giving_up.cancel()
            self._giving_up = None

    def _end(self, answer: bytes) -> None:
        if self._asks and not self.transport.is_closing():
            self.transport.write(answer)
        self.transport.close()
