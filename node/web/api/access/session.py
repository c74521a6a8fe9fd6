"""/api/v1/session: in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from node.adapters.database.access import sessions
from node.core.access import Actor, Right
from node.core.access.secrets import digest
from node.pipeline.access.oidc import Oidc
from node.pipeline.access.signing_in import Browser, SigningIn
from node.web.access import Anybody, actor_of, cookies, csrf_token, may
from node.web.access.origin import safe_next
from node.web.api.access.shapes import FirstStart, Me, SignedIn, SignedOut, SignIn

_OPEN = [Depends(Anybody())]
_AFTERWARDS = "/admin/sign-in"
_Next = Annotated[str, Query(alias="next", max_length=2000)]


def session_router(signing_in: SigningIn, oidc: Oidc | None) -> APIRouter:
    """Who asks, signing in, signing out, and the first administrator."""
    router = APIRouter(tags=["session"])
    database, clock = signing_in.database, signing_in.clock

    @router.post("/session", status_code=201, summary="Sign in: sets the session's cookie", dependencies=_OPEN)
    def sign_in(who: SignIn, request: Request, response: Response, then: _Next = "") -> SignedIn:
        secret = signing_in.by_password(who.name, who.password.get_secret_value(), browser_of(request))
        return _begin(request, response, who.name, secret, then)

    @router.post(
        "/first-start", status_code=201, summary="Become the first administrator, by a code", dependencies=_OPEN
    )
    def first_start(who: FirstStart, request: Request, response: Response, then: _Next = "") -> SignedIn:
        code, password = who.code.get_secret_value(), who.password.get_secret_value()
        secret = signing_in.first_administrator(code, who.name, password, browser_of(request))
        return _begin(request, response, who.name, secret, then)

    def _begin(request: Request, response: Response, name: str, secret: str, then: str) -> SignedIn:
        """A session that the browser had is over: nobody goes on with what another may have given it."""
        if old := cookies.secret_of(request):
            sessions.end(database, digest(old), clock(), reason="signed in anew")
        cookies.give(response, request, secret)
        return SignedIn(name=name, then=safe_next(then))

    @router.get("/session", summary="Who asks, and what he may", dependencies=_OPEN)
    async def who(request: Request) -> Me:
        return Me.of(actor_of(request), csrf_token(request))

    @router.delete("/session", summary="Sign out")
    def sign_out(
        request: Request, response: Response, actor: Annotated[Actor, Depends(may(Right.READ, in_person=True))]
    ) -> SignedOut:
        there = None
        if secret := cookies.secret_of(request):
            mine = sessions.find(database, digest(secret), clock(), signing_in.lifetime)
            if mine and mine.logout_hint and oidc:
                there = oidc.logout_address(mine.logout_hint)
            sessions.end(database, digest(secret), clock(), reason=f"signed out by {actor.name}")
        cookies.take_back(response, request)
        return SignedOut(then=there or _AFTERWARDS)

    return router


def browser_of(request: Request) -> Browser:
    """Where a request comes from, as the list of sessions shows it."""
    agent = request.headers.get("user-agent", "")
    printable = "".join(letter for letter in agent[:200] if letter.isprintable())
    return Browser(request.client.host if request.client else "", printable)
