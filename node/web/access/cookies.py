"""The cookie of a session: for this host alone, for no script, and never sent by another site's page."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

NAME = "mricore-session"


def name(*, encrypted: bool) -> str:
    """Over TLS with __Host-: the browser then takes it from no other host and from no plain connection."""
    return f"__Host-{NAME}" if encrypted else NAME


def secret_of(request: HTTPConnection) -> str:
    """What the cookie holds; "" without one."""
    return request.cookies.get(name(encrypted=request.url.scheme == "https"), "")


def give(answer: Response, request: HTTPConnection, secret: str) -> None:
    encrypted = request.url.scheme == "https"
    answer.set_cookie(name(encrypted=encrypted), secret, path="/", secure=encrypted, httponly=True, samesite="strict")


def take_back(answer: Response, request: HTTPConnection) -> None:
    encrypted = request.url.scheme == "https"
    answer.delete_cookie(name(encrypted=encrypted), path="/", secure=encrypted, httponly=True, samesite="strict")
