"""/api/v1/jobs/{id}/reroute and /dismiss: what else a person may do about a job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from node.adapters.database import Database
from node.core.access import Actor, Right
from node.pipeline import jobs
from node.pipeline.rerouting import MOST, Rerouting
from node.web.access import may
from node.web.api.numbers import row_number
from node.web.api.series import Why

_Operating = Annotated[Actor, Depends(may(Right.OPERATE))]


class Reroute(Why):
    """Where results go, whether they were there already or not."""

    destinations: list[Annotated[str, Field(max_length=128)]] = Field(
        [], max_length=MOST, description="Destinations or groups; none: all that the job had, once more"
    )
    instead: bool = Field(False, description="What waits for other destinations, or was refused there, is given up")


class Stands(BaseModel):
    """Where the job stands now."""

    id: int
    state: str
    reason: str
    destinations: list[str]


def job_actions_router(database: Database, rerouting: Rerouting, clock: Callable[[], datetime]) -> APIRouter:
    """A thin shell over pipeline.rerouting and pipeline.jobs."""
    router = APIRouter(prefix="/jobs", tags=["jobs"])

    @router.post("/{job_id}/reroute", summary="Send finished results to other destinations, or once more")
    def reroute(job_id: int, wanted: Reroute, actor: _Operating) -> Stands:
        rerouting.reroute(row_number(job_id), wanted.destinations, wanted.reason, actor.name, instead=wanted.instead)
        return _stands(job_id)

    @router.post("/{job_id}/dismiss", summary="Nothing is to be done about a job that ended without success")
    def dismiss(job_id: int, why: Why, actor: _Operating) -> Stands:
        jobs.dismiss(database, row_number(job_id), why.reason, actor.name, clock())
        return _stands(job_id)

    def _stands(job_id: int) -> Stands:
        one = jobs.show(database, job_id).job
        return Stands(id=one.id, state=one.state, reason=one.reason, destinations=list(one.destinations))

    return router
