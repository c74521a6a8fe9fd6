"""What was in use, and what changed between two versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from node.adapters.database import rules as rows
from node.web.pages.pages import Crumb, Pages
from node.web.pages.rules.reviewing import diff_lines
from node.web.pages.rules.room import Reader, Room

_ON_A_PAGE = 50
_Version = Annotated[str, Query(min_length=1, max_length=64)]


def add_past(router: APIRouter, pages: Pages, room: Room) -> None:
    """/admin/rules/-/history and /admin/rules/-/compare."""
    home = Crumb(pages.texts("rules.title"), "/admin/rules")

    @router.get("/-/history")
    def history(
        request: Request, actor: Reader, before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
    ) -> HTMLResponse:
        found = rows.history(room.database, _ON_A_PAGE + 1, before)
        return pages.page(
            request,
            "rules/history.html",
            "rules",
            crumbs=[home, Crumb(pages.texts("rules.history.title"))],
            publications=found[:_ON_A_PAGE],
            older=found[_ON_A_PAGE - 1].number if len(found) > _ON_A_PAGE else None,
            in_use=rows.newest_number(room.database),
        )

    @router.get("/-/compare")
    def compare(request: Request, actor: Reader, one: _Version, other: _Version) -> HTMLResponse:
        before, after = room.versions.files(one), room.versions.files(other)
        return pages.page(
            request,
            "rules/compare.html",
            "rules",
            crumbs=[
                home,
                Crumb(pages.texts("rules.history.title"), "/admin/rules/-/history"),
                Crumb(pages.texts("rules.compare.title")),
            ],
            one=one,
            other=other,
            before=before[0],
            after=after[0],
            diff=diff_lines(before[1], after[1]),
        )
