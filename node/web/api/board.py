"""/api/v1/board: how everything stands, once or again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from threading import Event
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from node.core.access import Actor, Right
from node.errors import NodeError, Retryable
from node.pipeline.board import Board, Snapshot
from node.web.access import may

MOST = 64  # who watch at once: each is a connection
_ALIVE_S, _STEP_S, _EVERY_S = 10.0, 0.25, 2.0
_LONGEST_S = 900.0  # then the browser comes again by itself, and is asked again who it is
_SNAPSHOT = TypeAdapter(Snapshot)

Reading = Annotated[Actor, Depends(may(Right.READ))]


class Watched:
    """Who watches. Streams end when the server stops, which otherwise would wait for them."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._leaving = Event()
        self._watching = 0  # touched by the event loop's thread alone
        self._encoded: tuple[int, str] = (0, "")

    def stop(self) -> None:
        self._leaving.set()

    @property
    def watching(self) -> int:
        return self._watching

    def stream(self) -> StreamingResponse:
        """Raises Retryable when too many watch."""
        if self._watching >= MOST:
            raise Retryable(f"{MOST} watch the board already: close one, or ask /api/v1/board now and then")
        return _Stream(self, self._events())

    def enter(self) -> None:
        self._watching += 1

    def leave(self) -> None:
        self._watching -= 1

    async def _events(self) -> AsyncIterator[str]:
        told, silent, open_s = 0, 0.0, 0.0
        yield "retry: 2000\n\n"
        while not self._leaving.is_set() and open_s < _LONGEST_S:
            number, event = await run_in_threadpool(self._event)
            if number != told:
                told, silent = number, 0.0
                yield event
            elif silent >= _ALIVE_S:
                silent = 0.0
                yield ": alive\n\n"
            waited = 0.0
            while waited < _EVERY_S and not self._leaving.is_set():
                await asyncio.sleep(_STEP_S)
                waited += _STEP_S
            silent, open_s = silent + waited, open_s + waited

    def _event(self) -> tuple[int, str]:
        """The number of the snapshot and the event that tells it; encoded once for all."""
        try:
            snapshot = self._board.snapshot()
        except NodeError as fault:
            return -1, f"event: fault\ndata: {str(fault).splitlines()[0]}\n\n"
        if self._encoded[0] != snapshot.number:
            content = _SNAPSHOT.dump_json(snapshot).decode()
            self._encoded = (snapshot.number, f"event: board\nid: {snapshot.number}\ndata: {content}\n\n")
        return self._encoded


class _Stream(StreamingResponse):
    """Counted while it is open, however it ends."""

    def __init__(self, watched: Watched, events: AsyncIterator[str]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._watched = watched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._watched.enter()
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._watched.leave()


def board_router(board: Board, watched: Watched) -> APIRouter:
    """A thin shell over pipeline.board."""
    router = APIRouter(prefix="/board", tags=["board"])

    @router.get("", summary="How everything stands, each thing in one sentence with what helps")
    def shown(_actor: Reading) -> Snapshot:
        return board.snapshot()

    @router.get(
        "/events",
        summary="The same whenever it changed, as server-sent events: `board` with the snapshot, `fault` with why not",
        response_class=StreamingResponse,
    )
    async def events(_actor: Reading) -> StreamingResponse:
        return watched.stream()

    return router
