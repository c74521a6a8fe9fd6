"""Notices: what is wrong, who was told, and who can be reached."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse

from node.core.access import Actor, Right
from node.core.notices import Alarm, Kind
from node.pipeline.notices.people import Notices
from node.web.access import may
from node.web.pages.pages import Pages

_ON_A_PAGE = 50
_LOOKS = {"info": "work", "warning": "hold", "critical": "bad"}
# Where something can be done about it; models have a page each.
_WHERE = {
    Kind.RESIDUE: "/admin/drill",
    Kind.WAITING: "/admin/board",
    Kind.DESTINATION: "/admin/places",
    Kind.DISK: "/admin/board",
    Kind.CERTIFICATE: "/admin/board",
    Kind.SERVER: "/admin/board",
    Kind.REPLICA: "/admin/board",
    Kind.FAILED: "/admin/inbox",
    Kind.HELD: "/admin/inbox",
    Kind.SOURCE: "/admin/places",
    Kind.RULE: "/admin/rules",
}


def notices_pages(pages: Pages, notices: Notices) -> APIRouter:
    """/admin/notices."""
    router = APIRouter(include_in_schema=False)

    @router.get("/notices")
    def listed(
        request: Request,
        _actor: Annotated[Actor, Depends(may(Right.READ))],
        everything: Annotated[bool, Query(alias="all")] = False,
        before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    ) -> HTMLResponse:
        return pages.page(
            request,
            "notices/list.html",
            "notices",
            found=notices.listed(before, _ON_A_PAGE, only_open=not everything),
            everything=everything,
            reached=notices.reached(),
            unknown=notices.unreachable(),
            sent=notices.sent(),
            looks=_LOOKS,
            where=_where,
        )

    return router


def _where(alarm: Alarm) -> str:
    """The page where something can be done about it."""
    return f"/admin/models/{quote(alarm.name, safe='')}" if alarm.kind is Kind.MODEL else _WHERE[alarm.kind]
