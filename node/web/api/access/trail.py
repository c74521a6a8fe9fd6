"""/api/v1/audit: who did what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from node.adapters.database import Database, audit
from node.adapters.database.audit import Wanted
from node.core.access import Actor, Right
from node.pipeline.access.trail import look
from node.web.access import may
from node.web.api.access.shapes import AuditLine, AuditPage

MOST = 500
_Text = Annotated[str | None, Query(max_length=1000)]


def trail_router(database: Database, clock: Callable[[], datetime]) -> APIRouter:
    """Read, and never changed."""
    router = APIRouter(prefix="/audit", tags=["audit"])

    @router.get("", summary="The audit trail, newest first")
    def listed(
        actor: Annotated[Actor, Depends(may(Right.ADMINISTER))],
        by: _Text = None,
        what: _Text = None,
        on: _Text = None,
        before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    ) -> AuditPage:
        found = look(database, Wanted(by or None, what or None, on or None), before, limit + 1, actor, clock())
        more = found[limit - 1].number if len(found) > limit else None
        return AuditPage(lines=[AuditLine.of(one) for one in found[:limit]], before=more)

    @router.get("/check", summary="Whether each line follows from the one before: the lines that do not")
    def check(_actor: Annotated[Actor, Depends(may(Right.ADMINISTER))]) -> list[int]:
        return list(audit.broken(database))

    return router
