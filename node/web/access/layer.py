"""The ASGI layer around everything: who asks, what he may not, security headers, and the trail of what was done."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.adapters.database.audit import Asking, asking
from node.core.access import LOCAL
from node.core.rates import Rates
from node.errors import NodeError, NotAllowed, NotSignedIn, Retryable, StoreUnavailable
from node.pipeline.access.reads import Reads
from node.web.access import cookies
from node.web.access.bounds import TooLarge, bounded_body, demand_small
from node.web.access.demand import VISIT, Visit
from node.web.access.guard import Guard, Misdirected
from node.web.access.headers import secure
from node.web.access.peers import Peer, Proxies, believed
from node.web.access.recent import Recent
from node.web.access.trail import Trail
from node.web.access.wrong import Wrong
from node.web.limits import Limited

Access = Callable[[ASGIApp], ASGIApp]  # what is put around an application
_PEER = "node.peer"  # where it is in the request's scope
_LOOK_AGAIN_S = 30.0  # whether the session of an answer that lasts still counts


class Open:
    """Everybody is the local administrator: only for a server that listens on loopback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            client = scope.get("client")
            scope[VISIT] = Visit(replace(LOCAL, address=client[0] if client else ""))
        await self._app(scope, receive, send)


def guarded(guard: Guard, reads: Reads, rates: Rates | None = None) -> Access:
    """What is put around everything that a node serves. `rates`: how often one client may ask; None: without end."""

    def around(app: ASGIApp) -> ASGIApp:
        inside = Guarded(app, guard, reads)
        return Front(inside if rates is None else Limited(inside, rates), guard.proxies)

    return around


class Front:
    """Outermost: knows who is at the other end, and gives every answer its security headers."""

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self._app, self._proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # there are no web sockets here, and no lifespan
        scope[_PEER] = peer = self._proxies.peer(scope)
        believed(scope, peer)
        path = scope["path"]

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                secure(MutableHeaders(scope=message), path, encrypted=peer.scheme == "https")
            await send(message)

        await self._app(scope, receive, secured)


class Guarded:
    """An application that nobody reaches unseen. Stands behind `Front`."""

    def __init__(self, app: ASGIApp, guard: Guard, reads: Reads) -> None:
        self._app, self._guard = app, guard
        self._trail = Trail(guard.database, guard.clock, reads)
        self._recent, self._wrong = Recent(), Wrong(guard.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer: Peer = scope[_PEER]
        request = HTTPConnection(scope)
        path, method = scope["path"], scope["method"]
        try:
            visit = self._recent.find(request, peer, path, method)
            if visit is None:
                changes = self._recent.changes
                visit = await run_in_threadpool(self._guard.visit, request, peer, method)
                self._recent.keep(request, peer, path, method, visit, changes)
            if path.startswith("/api/"):
                demand_small(request, visit)
        except NodeError as fault:
            told = await self._written_down(peer, method, path, fault)
            await self._turned_away(request, peer, told)(scope, receive, send)
            return
        scope[VISIT] = visit
        with asking(visit.actor.name if visit.actor else "anonymous", peer.address) as who:
            bounded = bounded_body(receive, visit) if path.startswith("/api/") else receive
            answer = _Answer(self._guard, self._trail, self._recent, request, visit, who, bounded, send)
            await self._app(scope, answer.receive, answer.send)

    async def _written_down(self, peer: Peer, method: str, path: str, fault: NodeError) -> NodeError:
        """The refusal, once it stands in the trail; where it cannot, that it is to be asked for again."""
        try:
            await run_in_threadpool(self._trail.turned_away, peer, method, path, fault)
        except StoreUnavailable as away:
            return away
        return fault

    def _turned_away(self, request: HTTPConnection, peer: Peer, fault: NodeError) -> Response:
        path, method = request.scope["path"], request.scope["method"]
        shown = self._guard.shown(request)
        seconds = self._wrong.count(shown, peer.address) if shown and isinstance(fault, NotSignedIn) else 0
        answer = _turned_away(request, fault, path, method)
        if seconds and answer.status_code == 401:  # a browser is led to the sign-in in any case
            return _wait(math.ceil(seconds))
        return answer


class _Answer:
    """What it tells of is written before it is sent; one that lasts ends with its session."""

    def __init__(
        self,
        guard: Guard,
        trail: Trail,
        recent: Recent,
        request: HTTPConnection,
        visit: Visit,
        who: Asking,
        receive: Receive,
        send: Send,
    ) -> None:
        self._guard, self._trail, self._recent = guard, trail, recent
        self._request, self._visit, self._who = request, visit, who
        self._receive, self._send = receive, send
        self._secret = cookies.secret_of(request) if visit.csrf else ""
        self._lasts, self._over, self._looked = False, False, monotonic()

    async def receive(self) -> Message:
        """Whoever is not signed in any more is gone."""
        return {"type": "http.disconnect"} if self._over else await self._receive()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._note(message)
        elif self._lasts and not self._over and monotonic() - self._looked > _LOOK_AGAIN_S:
            self._looked = monotonic()
            if not await run_in_threadpool(self._guard.identify.still_counts, self._secret):
                self._over = True
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        if not self._over:
            await self._send(message)

    async def _note(self, message: Message) -> None:
        kind = MutableHeaders(scope=message).get("content-type", "")
        self._lasts = bool(self._secret) and kind.startswith("text/event-stream")
        method, url, status = self._request.scope["method"], self._request.url, message["status"]
        self._recent.answered(url.path, method)
        self._trail.looked_at(self._visit, method, url.path, url.query, status)
        if self._trail.is_change(method, url.path, status, self._visit, self._who):
            await run_in_threadpool(self._trail.changed, method, url.path, status)


def _turned_away(request: HTTPConnection, fault: NodeError, path: str, method: str) -> Response:
    if isinstance(fault, NotSignedIn):
        if method in ("GET", "HEAD") and _is_a_browser(request, path):
            there = path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/admin/sign-in?next={quote(there, safe='')}", 303, {"Cache-Control": "no-store"})
        return _problem(401, "Nobody is signed in", fault, {"WWW-Authenticate": "Bearer"})
    if isinstance(fault, Misdirected):
        return _problem(421, "This is another node's", fault)
    if isinstance(fault, TooLarge):
        return _problem(413, "This is too much", fault, {"Connection": "close"})
    if isinstance(fault, NotAllowed):
        return _problem(403, "This is not allowed", fault)
    if isinstance(fault, Retryable):
        return _problem(503, "Try again later", fault, {"Retry-After": "5"})
    return _problem(409, "This cannot be done", fault)


def _wait(seconds: int) -> Response:
    why = f"credentials that do not count were shown too often: ask again in {seconds} s, with others"
    problem = {"title": "Too many wrong credentials", "status": 429, "detail": why, "reason": why}
    return JSONResponse(problem, 429, {"Retry-After": str(seconds)}, media_type="application/problem+json")


def _is_a_browser(request: HTTPConnection, path: str) -> bool:
    """Whether a person reads the answer, and it was for a page."""
    pages = path.startswith(("/admin", "/ohif", "/view/"))
    return pages and "text/html" in request.headers.get("accept", "")


def _problem(status: int, title: str, fault: NodeError, headers: dict[str, str] | None = None) -> Response:
    problem = {"title": title, "status": status, "detail": str(fault), "reason": str(fault)}
    return JSONResponse(problem, status, headers, media_type="application/problem+json")
