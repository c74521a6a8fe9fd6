"""Problem documents (RFC 9457): what an error becomes, and how the description says so."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from node.errors import BadConfiguration, NodeError, NoSuch, NotAllowed, NotSignedIn, Overtaken, Retryable, Usage
from node.pipeline.access.signing_in import TooManyTries

_KIND = "application/problem+json"
_STATUS: tuple[tuple[type[NodeError], int, str], ...] = (
    (NoSuch, 404, "There is no such thing"),
    (NotSignedIn, 401, "Nobody is signed in"),
    (NotAllowed, 403, "This is not allowed"),
    (Overtaken, 409, "Somebody else was quicker"),
    (Usage, 422, "The request is wrong"),
    (Retryable, 503, "Try again later"),
)
_WRONG = "The request is wrong"
_MOST_NAMED = 5  # mistakes of one request


class Problem(BaseModel):
    """What is wrong, and what to do about it."""

    title: str
    status: int
    detail: str


# Of every operation: which of them can happen to it is the same for nearly all.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": title, "content": {_KIND: {"schema": Problem.model_json_schema()}}}
    for status, title in (
        (400, "The body cannot be read"), (401, "Nobody is signed in"), (403, "This is not allowed"),
        (404, "There is no such thing"), (409, "This cannot be done, or somebody else was quicker"), (422, _WRONG),
        (429, "Too many tries"), (503, "Try again later"),
    )
}  # fmt: skip


async def problem(_request: Request, fault: Exception) -> JSONResponse:
    """Of an error of the node's."""
    told = ((status, title) for kind, status, title in _STATUS if isinstance(fault, kind))
    status, title = next(told, (409, "This cannot be done"))
    found: dict[str, object] = {"title": title, "status": status, "detail": str(fault)}
    headers = {}
    if isinstance(fault, TooManyTries):
        found["status"] = status = 429
        headers["Retry-After"] = str(fault.seconds)
    if isinstance(fault, BadConfiguration):
        found |= {"where": fault.where, "what": fault.what, "cure": fault.cure}
    if isinstance(fault, Retryable):
        headers["Retry-After"] = str(max(1, round(fault.retry_after or 5)))
    return JSONResponse(found, status, headers, media_type=_KIND)


async def wrong(_request: Request, fault: Exception) -> JSONResponse:
    """Of a request that does not fit its description: what is wrong where, without what was sent."""
    assert isinstance(fault, RequestValidationError)  # noqa: S101 # for the type checker
    each = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in fault.errors()]
    more = f"; and {len(each) - _MOST_NAMED} more" if len(each) > _MOST_NAMED else ""
    detail = "; ".join(each[:_MOST_NAMED]) + more
    return JSONResponse({"title": _WRONG, "status": 422, "detail": detail}, 422, media_type=_KIND)


async def refused(_request: Request, fault: Exception) -> JSONResponse:
    """Of what the framework refuses: a body that is no JSON, a path or a method that is not there."""
    assert isinstance(fault, StarletteHTTPException | HTTPException)  # noqa: S101 # for the type checker
    found = {"title": _WRONG, "status": fault.status_code, "detail": str(fault.detail)}
    return JSONResponse(found, fault.status_code, fault.headers, media_type=_KIND)
