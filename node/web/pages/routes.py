"""Everything below /admin/, and the way there."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from node.errors import NodeError, NoSuch, NotAllowed, NotSignedIn, Overtaken, Retryable, Usage
from node.web.pages.pages import Pages

_STATUS: tuple[tuple[type[NodeError], int], ...] = (
    (NotSignedIn, 401),
    (NotAllowed, 403),
    (NoSuch, 404),
    (Overtaken, 409),
    (Usage, 422),
    (Retryable, 503),
)


def page_routes(pages: Pages, routers: Sequence[APIRouter]) -> list[BaseRoute]:
    """/admin/ with these pages; their paths begin below it. / leads there."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)

    async def refused(request: Request, fault: Exception) -> Response:
        status = next((status for kind, status in _STATUS if isinstance(fault, kind)), 409)
        return pages.refusal(request, status, str(fault))

    async def wrong(request: Request, fault: Exception) -> Response:
        if isinstance(fault, HTTPException | AnyHTTPException):
            said = pages.texts("base.refusal.missing") if fault.status_code == 404 else str(fault.detail)
            return pages.refusal(request, fault.status_code, said)
        return pages.refusal(request, 422, pages.texts("base.refusal.address"))

    async def broke(request: Request, _fault: Exception) -> Response:
        """The server writes the fault itself into its log."""
        return pages.refusal(request, 500, pages.texts("base.refusal.broken"))

    app.add_exception_handler(NodeError, refused)
    app.add_exception_handler(Exception, broke)
    app.add_exception_handler(AnyHTTPException, wrong)
    app.add_exception_handler(RequestValidationError, wrong)
    app.add_api_route("/static/{digest}/{name:path}", pages.static.serve, include_in_schema=False)
    for router in routers:
        app.include_router(router)

    async def home(_request: Request) -> Response:
        return RedirectResponse("/admin/")

    return [Route("/", home), Route("/admin", home), Mount("/admin", app=app)]
