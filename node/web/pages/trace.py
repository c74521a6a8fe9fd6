"""Trace, the home of the pages: where is accession X, and what happened to it?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from node.adapters.database import Database
from node.adapters.database.finding import Found
from node.core.access import Actor, Right
from node.core.audit import What
from node.core.states import JobState, SeriesState
from node.errors import NoSuch
from node.pipeline import series
from node.web.access import may, note_read
from node.web.pages.pages import Crumb, Pages
from node.web.pages.searches import Searches
from node.web.pages.timeline import is_under_way, timeline, whole

_Reading = Annotated[Actor, Depends(may(Right.READ))]
_UID = Annotated[str, Query(max_length=128)]
_After = Annotated[str | None, Query(max_length=400)]
_MANY = 50
_ENDED = (JobState.FAILED, JobState.CANCELED, JobState.HELD, JobState.NOT_PROCESSABLE, JobState.DISMISSED)


@dataclass(frozen=True)
class Studies:
    """Where pages of series come from."""

    database: Database
    destinations: Callable[[], Collection[str]]  # the names that results may be sent to
    searches: Searches = field(default_factory=Searches)


class Search(BaseModel):
    """What is typed into the one box."""

    text: str = Field("", max_length=series.LONGEST)


class There(BaseModel):
    """Where the answer is."""

    address: str


def trace_pages(pages: Pages, studies: Studies) -> APIRouter:
    """/admin/, /admin/studies and /admin/series."""
    router = APIRouter(include_in_schema=False)
    database = studies.database

    @router.get("/")
    def home(
        request: Request,
        actor: _Reading,
        q: Annotated[str, Query(max_length=series.LONGEST)] = "",
        s: Annotated[str, Query(max_length=32)] = "",
        after: _After = None,
    ) -> Response:
        kept = studies.searches.text(actor.name, s) if s else q
        text = (kept or "").strip()
        if text:
            note_read(request, What.SEARCHED, "/admin/", text)
        found = series.find(database, text, after, _MANY, patients=actor.sees_patients)
        if text and after is None and (one := _only(found.series)):
            return RedirectResponse(address(one), 303)
        more = _with({"s": s} if s else {"q": q} if q else {}, found.after)
        shown: dict[str, Any] = {
            "text": text,
            "forgotten": bool(s) and kept is None,
            "groups": [*_by_study(found.series)],
            "more": more,
        }
        return pages.page(request, "trace/home.html", "trace", **shown)

    @router.post("/search")
    def search(wanted: Search, actor: _Reading) -> There:
        """It goes by POST, so that no address holds a name; nothing is changed."""
        text = wanted.text.strip()
        return There(address=f"/admin/?s={studies.searches.keep(actor.name, text)}" if text else "/admin/")

    @router.get("/studies")
    def study(request: Request, actor: _Reading, uid: _UID, after: _After = None) -> Response:
        found = series.find(database, uid, after, _MANY, patients=False)
        mine = [one for one in found.series if one.study_instance_uid == uid]
        if not mine:
            raise NoSuch(pages.texts("trace.study.missing"))
        crumbs = [Crumb(pages.texts("trace.title"), "/admin/"), Crumb(pages.texts("trace.study.title"))]
        shown: dict[str, Any] = {
            "study": mine[0],
            "found": mine,
            "balance": series.balance_of(database, uid),
            "crumbs": crumbs,
        }
        return pages.page(request, "trace/study.html", "trace", **shown, more=_with({"uid": uid}, found.after))

    @router.get("/series")
    def one_series(request: Request, actor: _Reading, uid: _UID) -> Response:
        line = series.show(database, uid)
        crumbs = [
            Crumb(pages.texts("trace.title"), "/admin/"),
            Crumb(pages.texts("trace.study.title"), f"/admin/studies?{urlencode({'uid': line.study_instance_uid})}"),
            Crumb(line.series_description or pages.texts("trace.series.nameless")),
        ]
        return pages.page(request, "trace/series.html", "trace", crumbs=crumbs, **_shown(uid))

    @router.get("/series/part")
    def part(request: Request, actor: _Reading, uid: _UID) -> Response:
        return pages.fragment(request, "trace/live.html", **_shown(uid))

    def _shown(uid: str) -> dict[str, Any]:
        line = series.show(database, uid)
        return {
            "line": line,
            "steps": timeline(line),
            "whole": whole(line),
            "under_way": is_under_way(line),
            "jobs": [one for one in reversed(line.jobs) if one.state != JobState.SUPERSEDED],
            "replaced": [one for one in reversed(line.jobs) if one.state == JobState.SUPERSEDED],
            "destinations": sorted(studies.destinations()),
            "ended": _ENDED,
            "is_held": line.state == SeriesState.HELD,
        }

    return router


def address(of: Found) -> str:
    """The page of a series."""
    return f"/admin/series?{urlencode({'uid': of.series_instance_uid})}"


def _only(found: Sequence[Found]) -> Found | None:
    return found[0] if len(found) == 1 else None


def _by_study(found: Sequence[Found]) -> Iterator[tuple[Found, list[Found]]]:
    """Neighbours of one study together, under what is known of it."""
    for _, same in groupby(found, lambda one: one.study_instance_uid):
        members = list(same)
        yield members[0], members


def _with(known: dict[str, str], after: str | None) -> str:
    """What follows the address of the next page; "" when this is the last."""
    return f"?{urlencode({**known, 'after': after})}" if after else ""
