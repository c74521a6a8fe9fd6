"""Check, fault drill and support bundle: how somebody convinces himself, and others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse

from node.core.access import Actor, Right
from node.core.drill import EXERCISES
from node.web.access import may
from node.web.pages.pages import Pages
from node.web.pages.places import VERDICTS


def drill_pages(pages: Pages, last: Callable[[], dict[str, Any] | None]) -> APIRouter:
    """/admin/drill. `last`: when the last drill was, and its outcomes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/drill")
    def shown(request: Request, _actor: Annotated[Actor, Depends(may(Right.READ))]) -> HTMLResponse:
        found = last()
        outcomes = {one["name"]: one for one in found["outcomes"]} if found else {}
        at = datetime.fromisoformat(found["at"]) if found else None
        return pages.page(
            request, "drill/drill.html", "drill", exercises=EXERCISES, outcomes=outcomes, at=at, verdicts=VERDICTS
        )

    return router
