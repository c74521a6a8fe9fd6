"""/api/v1/trace and /api/v1/series: where is accession X, what happened to it, and what a person decides of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from node.adapters.database import Database
from node.adapters.database.finding import Found
from node.core.access import Actor, Right, masked
from node.core.audit import What
from node.pipeline import series
from node.web.access import may, note_read

_Reading = Annotated[Actor, Depends(may(Right.READ))]
_Operating = Annotated[Actor, Depends(may(Right.OPERATE))]


class Wanted(BaseModel):
    """What is looked for. It goes in the body: names and numbers of patients do not belong into addresses."""

    text: str = Field(
        "",
        max_length=series.LONGEST,
        description="Accession number, patient ID, UID of a study, series, image or result, or how words of the "
        'patient\'s name begin, in any script; "": every series',
    )
    after: str | None = Field(None, max_length=400, description="What the page before told")
    limit: int = Field(50, ge=1, le=series.MOST)


class Page(BaseModel):
    """Series, newest first. `after` asks for the next page; null: this was the last.

    Who the patient is stays masked for accounts that may not see it.
    """

    series: list[Found]
    after: str | None


class Why(BaseModel):
    """The reason, which the histories and the audit trail keep."""

    reason: str = Field(min_length=1, max_length=500)


def series_router(database: Database, clock: Callable[[], datetime]) -> APIRouter:
    """A thin shell over pipeline.series."""
    router = APIRouter(tags=["series"])

    @router.post("/trace", summary="Find series by what people know of them, newest first")
    def found(wanted: Wanted, actor: _Reading, request: Request) -> Page:
        if wanted.text.strip():
            note_read(request, What.SEARCHED, "/api/v1/trace", wanted.text.strip())
        page = series.find(database, wanted.text, wanted.after, wanted.limit, patients=actor.sees_patients)
        return Page(series=[masked(actor, one) for one in page.series], after=page.after)

    @router.get("/series/{uid:path}/trace", summary="All that happened to a series, from the first byte")
    def story(uid: str, actor: _Reading) -> dict[str, Any]:
        line = asdict(masked(actor, series.show(database, uid)))
        jobs = [{name: value for name, value in one.items() if name != "results"} for one in line["jobs"]]
        return {**line, "jobs": jobs}

    @router.post("/series/{uid:path}/reprocess", summary="Have the rules of this moment decide anew, superseding")
    def reprocess(uid: str, why: Why, actor: _Operating) -> Found:
        series.reprocess(database, uid, why.reason, actor.name, clock())
        return _one(uid, actor)

    @router.post("/series/{uid:path}/dismiss", summary="Nothing is to be done with a held series")
    def dismiss(uid: str, why: Why, actor: _Operating) -> Found:
        series.dismiss(database, uid, why.reason, actor.name, clock())
        return _one(uid, actor)

    def _one(uid: str, actor: Actor) -> Found:
        page = series.find(database, uid, patients=False)
        return masked(actor, next(one for one in page.series if one.series_instance_uid == uid))

    return router
