"""REST below /api/v1, described at /api/openapi.json: one file, and one router, for each subject.

An error is a problem document (RFC 9457) that says what is wrong and what to do about it; its status follows from the
error's type.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount

from node.errors import NodeError
from node.web.access.demand import demand_something
from node.web.api.problems import RESPONSES, problem, refused, wrong


def api_routes(routers: Sequence[APIRouter]) -> list[BaseRoute]:
    """/api with its description. The routers' paths begin below /api/v1."""
    api = FastAPI(
        title="mricore-node",
        version=version("mricore-node"),
        openapi_url="/openapi.json",
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
        exception_handlers={NodeError: problem, RequestValidationError: wrong, HTTPException: refused},
        responses=RESPONSES,
    )
    for router in routers:
        api.include_router(router, prefix="/v1", dependencies=[Depends(demand_something)])
    return [Mount("/api", app=api)]
