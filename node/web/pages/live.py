"""Server-sent events: a part of a page each time it has changed, and a sign of life in between."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from threading import Event

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from node.errors import NodeError, Retryable
from node.web.pages.security import NOT_KEPT

MOST = 64  # who watch at once: each is a connection, and what it shows is worked out again and again
_LONGEST_S = 900.0  # then the browser comes again by itself, and is asked again who it is
_ALIVE_S = 10.0  # static/live.js calls what it shows old after three of these
_STEP_S = 0.25


class Live:
    """Streams that end when the server stops, which otherwise would wait for them."""

    def __init__(self) -> None:
        self._leaving = Event()
        self._watching = 0  # touched by the event loop's thread alone

    @property
    def watching(self) -> int:
        return self._watching

    def stop(self) -> None:
        self._leaving.set()

    def stream(self, request: Request, render: Callable[[], str], every: float = 2.0) -> StreamingResponse:
        """`render` gives HTML: elements with ids, each of which takes the place of the one in the page.

        It is called every `every` seconds in a thread; what is as before is not sent again. Raises Retryable when too
        many watch. To be called by the event loop's thread.
        """
        if self._watching >= MOST:
            raise Retryable(f"{MOST} watch already: close a page that shows itself anew, or load this one now and then")
        return _Stream(self, self._events(request, render, every))

    def enter(self) -> None:
        self._watching += 1

    def leave(self) -> None:
        self._watching -= 1

    async def _events(self, request: Request, render: Callable[[], str], every: float) -> AsyncIterator[str]:
        told, silent, open_s = b"", 0.0, 0.0
        yield "retry: 2000\n\n"
        while not self._leaving.is_set() and open_s < _LONGEST_S and not await request.is_disconnected():
            text = await run_in_threadpool(_rendered, render)
            digest = hashlib.sha256(text.encode()).digest()
            if text and digest != told:
                told, silent = digest, 0.0
                yield _event("swap", text)
            elif silent >= _ALIVE_S or not text:
                silent = 0.0
                yield _event("alive" if text else "fault", "")
            silent, open_s = silent + every, open_s + every
            waited = 0.0
            while waited < every and not self._leaving.is_set():
                await asyncio.sleep(_STEP_S)
                waited += _STEP_S


class _Stream(StreamingResponse):
    """Counted while it is open, however it ends."""

    def __init__(self, live: Live, events: AsyncIterator[str]) -> None:
        headers = {**NOT_KEPT, "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._live.enter()
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._live.leave()


def _rendered(render: Callable[[], str]) -> str:
    """ "" while there is nothing to show: the database does not answer."""
    try:
        return render()
    except NodeError:
        return ""


def _event(name: str, text: str) -> str:
    lines = "\n".join(f"data: {line}" for line in text.splitlines()) or "data:"
    return f"event: {name}\n{lines}\n\n"
