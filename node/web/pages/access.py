"""Signing in, one's own account, users, and the audit trail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote, urlencode, urlsplit

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from node.adapters.database.access import accounts, sessions, tokens
from node.adapters.database.audit import Wanted
from node.core.access import RIGHTS, Actor, Right, Role
from node.errors import NodeError
from node.pipeline.access.oidc import Oidc
from node.pipeline.access.signing_in import SigningIn
from node.pipeline.access.trail import look
from node.web.access import cookies, may
from node.web.access.origin import safe_next
from node.web.api.access.session import browser_of
from node.web.pages.pages import Pages

_LINES = 100
_BACK = "mricore-oidc"  # the cookie of who went to the provider
_Next = Annotated[str, Query(alias="next", max_length=2000)]


def access_pages(pages: Pages, signing_in: SigningIn, oidc: Oidc | None) -> Sequence[APIRouter]:
    """/admin/sign-in, first-start, account, users, audit, and the way to the provider and back."""
    return [_doors(pages, signing_in, oidc), _inside(pages, signing_in)]


def _doors(pages: Pages, signing_in: SigningIn, oidc: Oidc | None) -> APIRouter:
    """What is open to all."""
    router = APIRouter(include_in_schema=False)

    @router.get("/sign-in")
    def sign_in(request: Request, then: _Next = "") -> HTMLResponse:
        nobody = not accounts.exists_any(signing_in.database) and oidc is None
        provider = urlsplit(oidc.provider.issuer).hostname if oidc else ""
        there = quote(safe_next(then), safe="")
        return pages.page(request, "access/sign-in.html", "", then=there, nobody=nobody, provider=provider)

    @router.get("/first-start")
    def first_start(request: Request) -> HTMLResponse:
        done = accounts.exists_any(signing_in.database)
        return pages.page(request, "access/first-start.html", "", done=done)

    @router.get("/oidc/start")
    async def start(request: Request, then: _Next = "") -> Response:
        if oidc is None:
            return pages.refusal(request, 404, pages.texts("base.refusal.missing"))
        try:
            address, secret = await run_in_threadpool(oidc.begin, safe_next(then))
        except NodeError as fault:
            return _failed(pages, request, 503, str(fault))
        answer = RedirectResponse(address, 303)
        encrypted = request.url.scheme == "https"
        # Lax, for the way back begins at the provider's page; only this browser can finish what it began.
        answer.set_cookie(
            _name(request), secret, max_age=600, path="/", secure=encrypted, httponly=True, samesite="lax"
        )
        return answer

    @router.get("/oidc/callback")
    async def callback(request: Request) -> Response:
        if oidc is None:
            return pages.refusal(request, 404, pages.texts("base.refusal.missing"))
        told = request.query_params
        if told.get("error"):
            said = "denied" if told["error"] == "access_denied" else "refused"
            return _failed(pages, request, 403, pages.texts.member("access.oidc", said))
        secret = request.cookies.get(_name(request), "")
        code, state = told.get("code", "")[:4096], told.get("state", "")[:256]
        try:
            session, then = await run_in_threadpool(oidc.finish, code, state, secret, browser_of(request))
        except NodeError as fault:
            return _failed(pages, request, 403, str(fault))
        # A page, and no redirect: a strict cookie is not sent along a way that began at another site.
        answer = pages.page(request, "access/welcome.html", "", then=safe_next(then))
        cookies.give(answer, request, session)
        answer.delete_cookie(_name(request), path="/")
        return answer

    return router


def _inside(pages: Pages, signing_in: SigningIn) -> APIRouter:
    """For who signed in."""
    router = APIRouter(include_in_schema=False)
    database, clock = signing_in.database, signing_in.clock

    @router.get("/account")
    def account(request: Request, actor: Annotated[Actor, Depends(may(Right.READ, in_person=True))]) -> HTMLResponse:
        known = accounts.named(database, actor.name)
        return pages.page(
            request,
            "access/account.html",
            "",
            known=known[0] if known else None,
            sessions=sessions.of_account(database, actor.name, clock(), signing_in.lifetime),
            tokens=tokens.listed(database, actor.name),
            rights=[right for right in Right if actor.may(right)],
        )

    @router.get("/users")
    def users(request: Request, _actor: Annotated[Actor, Depends(may(Right.ADMINISTER))]) -> HTMLResponse:
        found = accounts.listed(database)
        return pages.page(
            request, "access/users.html", "users", users=found, roles=list(Role), rights=RIGHTS,
            tokens=tokens.listed(database),
        )  # fmt: skip

    @router.get("/audit")
    def audit(
        request: Request,
        actor: Annotated[Actor, Depends(may(Right.ADMINISTER))],
        by: Annotated[str, Query(max_length=128)] = "",
        what: Annotated[str, Query(max_length=64)] = "",
        on: Annotated[str, Query(max_length=1000)] = "",
        before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    ) -> HTMLResponse:
        wanted = Wanted(by or None, what or None, on or None)
        found = look(database, wanted, before, _LINES + 1, actor, clock())
        asked = {"by": by, "what": what, "on": on}
        older = ""
        if len(found) > _LINES:
            older = "/admin/audit?" + urlencode({**asked, "before": found[_LINES - 1].number})
        lines = [(one.number, one.line, _steps(one.line.before, one.line.after)) for one in found[:_LINES]]
        return pages.page(request, "access/audit.html", "audit", lines=lines, asked=asked, older=older)

    return router


def _steps(before: str, after: str) -> list[tuple[str, str, str]]:
    """What differs: (name, before, after), of the values of objects; otherwise both as they are, without a name."""
    was, now = _object(before), _object(after)
    if was is None or now is None:
        return [("", before, after)] if before or after else []
    return [(name, was.get(name, ""), now.get(name, "")) for name in {**was, **now} if was.get(name) != now.get(name)]


def _object(text: str) -> dict[str, str] | None:
    if not text:
        return {}
    try:
        read = json.loads(text)
    except ValueError:
        return None
    if not isinstance(read, dict):
        return None
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in read.items()}


def _failed(pages: Pages, request: Request, status: int, what: str) -> Response:
    return pages.page(request, "access/failed.html", "", status=status, what=what)


def _name(request: Request) -> str:
    return f"__Host-{_BACK}" if request.url.scheme == "https" else _BACK
