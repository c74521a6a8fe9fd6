"""Threads of their own for what takes long, so that a search or a Store never waits for those who look at pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_READERS = 24  # that wait for a file, or for a frame to be decoded
_DRAWERS = 8  # that wait for a picture
_DELETERS = 2  # each for seconds, where a study is large

_reading: RunVar[CapacityLimiter] = RunVar("dicomweb-reading")  # of each server its own
_drawing: RunVar[CapacityLimiter] = RunVar("dicomweb-drawing")
_deleting: RunVar[CapacityLimiter] = RunVar("dicomweb-deleting")


async def reading(work: Callable[_P, _T], *args: _P.args, **_none: _P.kwargs) -> _T:
    """The work of a retrieval, done in a thread."""
    return await to_thread.run_sync(work, *args, limiter=_limiter(_reading, _READERS))


async def drawing(work: Callable[_P, _T], *args: _P.args, **_none: _P.kwargs) -> _T:
    """The work of a picture, done in a thread."""
    return await to_thread.run_sync(work, *args, limiter=_limiter(_drawing, _DRAWERS))


async def deleting(work: Callable[_P, _T], *args: _P.args, **_none: _P.kwargs) -> _T:
    """The work of a deletion, done in a thread."""
    return await to_thread.run_sync(work, *args, limiter=_limiter(_deleting, _DELETERS))


def _limiter(of_server: RunVar[CapacityLimiter], places: int) -> CapacityLimiter:
    try:
        return of_server.get()
    except LookupError:
        made = CapacityLimiter(places)
        of_server.set(made)
        return made
