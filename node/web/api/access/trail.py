"""/api/v1/audit: who did what."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import StreamingResponse

from node.adapters.database import Database, audit
from node.adapters.database.audit import Numbered, Wanted
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

    @router.get(
        "/export",
        summary="The audit trail as CSV (RFC 4180, UTF-8), newest first, however long it is",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/csv": {}}}},
    )
    def export(
        actor: Annotated[Actor, Depends(may(Right.ADMINISTER))],
        by: _Text = None,
        what: _Text = None,
        on: _Text = None,
    ) -> StreamingResponse:
        now, wanted = clock(), Wanted(by or None, what or None, on or None)
        first = look(database, wanted, None, MOST, actor, now)

        def pages() -> Iterator[Sequence[Numbered]]:
            found = first
            while found:
                yield found
                found = look(database, wanted, found[-1].number, MOST, actor, now) if len(found) == MOST else ()

        name = f"audit-{now.astimezone(UTC):%Y-%m-%dT%H%MZ}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingResponse(_as_csv(pages()), media_type="text/csv; charset=utf-8", headers=headers)

    @router.get("/check", summary="Whether each line follows from the one before: the lines that do not")
    def check(_actor: Annotated[Actor, Depends(may(Right.ADMINISTER))]) -> list[int]:
        return list(audit.broken(database))

    return router


_COLUMNS = ("number", "at", "actor", "address", "what", "object", "before", "after", "reason", "ok", "digest")


def _as_csv(pages: Iterator[Sequence[Numbered]]) -> Iterator[str]:
    """A row of names, then a row a line."""
    yield _rows([_COLUMNS])
    for page in pages:
        told = [AuditLine.of(one).model_dump(mode="json") for one in page]
        yield _rows([[_cell(line[name]) for name in _COLUMNS] for line in told])


def _rows(rows: Sequence[Sequence[Any]]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A spreadsheet would work out a text that begins like a formula: an apostrophe keeps it a text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
