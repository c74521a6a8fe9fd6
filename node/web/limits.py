"""A client that asks without end is told to wait (RFC 6585 section 4), before it is looked up who it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from node.core.access.addresses import is_loopback
from node.core.rates import Rates

_COUNTED = ("/dicom-web", "/api/", "/admin", "/view/")  # not files, nor what watches the node


class Limited:
    """Stands behind what knows the client's address. This machine itself is not counted."""

    def __init__(self, app: ASGIApp, rates: Rates, clock: Callable[[], float] = monotonic) -> None:
        self._app, self._rates, self._clock = app, rates, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if scope["type"] != "http" or not client or not scope["path"].startswith(_COUNTED) or is_loopback(client[0]):
            await self._app(scope, receive, send)
            return
        if seconds := self._rates.wait(client[0], self._clock()):
            await _told_to_wait(math.ceil(seconds))(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _told_to_wait(seconds: int) -> JSONResponse:
    why = f"more requests than http.requests_per_second: ask again in {seconds} s"
    problem = {"title": "Too many requests", "status": 429, "detail": why, "reason": why}
    return JSONResponse(problem, 429, {"Retry-After": str(seconds)}, media_type="application/problem+json")
