"""Trace, the home of the pages: where is accession X, and what happened to it?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse

from node.core.access import Actor, Right
from node.web.access import may
from node.web.pages.pages import Pages


def trace_pages(pages: Pages) -> APIRouter:
    """/admin/."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def home(request: Request, _actor: Annotated[Actor, Depends(may(Right.READ))]) -> HTMLResponse:
        return pages.page(request, "trace/home.html", "trace")

    return router
