"""REST below /api/v1, described at /api/openapi.json: one file, and one router, for each subject.

An error is a problem document (RFC 9457) that says what is wrong and what to do about it; its status follows from the
error's type.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.routing import BaseRoute, Mount

from node.errors import BadConfiguration, NodeError, NoSuch, NotAllowed, NotSignedIn, Overtaken, Retryable, Usage
from node.pipeline.access.signing_in import TooManyTries
from node.web.access.demand import demand_something

_STATUS: tuple[tuple[type[NodeError], int, str], ...] = (
    (NoSuch, 404, "There is no such thing"),
    (NotSignedIn, 401, "Nobody is signed in"),
    (NotAllowed, 403, "This is not allowed"),
    (Overtaken, 409, "Somebody else was quicker"),
    (Usage, 422, "The request is wrong"),
    (Retryable, 503, "Try again later"),
)


def api_routes(routers: Sequence[APIRouter]) -> list[BaseRoute]:
    """/api with its description. The routers' paths begin below /api/v1."""
    api = FastAPI(
        title="mricore-node",
        version=version("mricore-node"),
        openapi_url="/openapi.json",
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
        exception_handlers={NodeError: _problem},
    )
    for router in routers:
        api.include_router(router, prefix="/v1", dependencies=[Depends(demand_something)])
    return [Mount("/api", app=api)]


async def _problem(_request: Request, fault: Exception) -> JSONResponse:
    told = ((status, title) for kind, status, title in _STATUS if isinstance(fault, kind))
    status, title = next(told, (409, "This cannot be done"))
    problem: dict[str, object] = {"title": title, "status": status, "detail": str(fault)}
    headers = {}
    if isinstance(fault, TooManyTries):
        problem["status"] = status = 429
        headers["Retry-After"] = str(fault.seconds)
    if isinstance(fault, BadConfiguration):
        problem |= {"where": fault.where, "what": fault.what, "cure": fault.cure}
    if isinstance(fault, Retryable):
        headers["Retry-After"] = str(max(1, round(fault.retry_after or 5)))
    return JSONResponse(problem, status, headers, media_type="application/problem+json")
