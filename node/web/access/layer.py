"""The ASGI layer around everything: it finds who asks and puts him into the request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from starlette.types import ASGIApp, Receive, Scope, Send

from node.core.access import LOCAL
from node.web.access.demand import ACTOR

Access = Callable[[ASGIApp], ASGIApp]  # what is put around an application


class Open:
    """Everybody is the local administrator: only for a server that listens on loopback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            client = scope.get("client")
            scope[ACTOR] = replace(LOCAL, address=client[0] if client else "")
        await self._app(scope, receive, send)
