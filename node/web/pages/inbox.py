"""The inbox: what is stuck and why, and much of it dealt with at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from node.adapters.database import Database
from node.adapters.database.senders import KnownSender, known_senders
from node.adapters.database.stuck import Group
from node.core.access import Actor, Right
from node.pipeline.inbox import Inbox, counted
from node.web.access import may
from node.web.pages.pages import Pages

_Reading = Annotated[Actor, Depends(may(Right.READ))]
_Cause = Annotated[str | None, Query(max_length=40)]
_Before = Annotated[str | None, Query(max_length=128)]
_MANY = 50
_SENDERS = 20


@dataclass(frozen=True)
class Box:
    """Where the page of the inbox comes from."""

    inbox: Inbox
    senders: Callable[[], Sequence[KnownSender]]  # those who were turned away, the latest first

    @classmethod
    def of(cls, inbox: Inbox, database: Database) -> Box:
        return cls(inbox, lambda: [one for one in known_senders(database) if not (one.accepted or one.admitted)])


def inbox_pages(pages: Pages, box: Box) -> APIRouter:
    """/admin/inbox."""
    router = APIRouter(prefix="/inbox", include_in_schema=False)

    @router.get("")
    def page(request: Request, actor: _Reading, cause: _Cause = None, before: _Before = None) -> Response:
        return pages.page(request, "inbox/page.html", "inbox", **_shown(cause, before))

    @router.get("/part")
    def part(request: Request, actor: _Reading, cause: _Cause = None, before: _Before = None) -> Response:
        return pages.fragment(request, "inbox/part.html", **_shown(cause, before))

    def _shown(cause: str | None, before: str | None) -> dict[str, Any]:
        groups = box.inbox.groups()
        chosen = next((one for one in groups if one.cause == cause), None) if cause else _first(groups)
        found = box.inbox.of_cause(chosen.cause, before, _MANY) if chosen else None
        senders = box.senders()
        return {
            "groups": groups,
            "counted": counted,
            "chosen": chosen,
            "over": bool(cause) and chosen is None,  # somebody dealt with it
            "entries": found.entries if found else (),
            "older": f"?{urlencode({'cause': chosen.cause, 'before': found.before})}"
            if found and found.before and chosen
            else "",
            "again": f"?{urlencode({'cause': chosen.cause, **({'before': before} if before else {})})}"
            if chosen
            else "",
            "first": before is None,
            "senders": senders[:_SENDERS],
            "more_senders": max(0, len(senders) - _SENDERS),
        }

    return router


def _first(groups: Sequence[Group]) -> Group | None:
    return groups[0] if groups else None
