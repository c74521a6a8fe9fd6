"""/api/v1/jobs: what the node works on, what became of it, and what a person may do about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from node.adapters.database import Database
from node.adapters.database.job_list import Entry, Wanted
from node.core.access import Actor, Right
from node.core.states import JobState
from node.pipeline import jobs
from node.web.access import may
from node.web.api.numbers import row_number

Reads = Annotated[Actor, Depends(may(Right.READ))]
Operates = Annotated[Actor, Depends(may(Right.OPERATE))]
_Text = Annotated[str | None, Query(max_length=256)]


class Page(BaseModel):
    """Jobs, newest first. `before` asks for the next page, null: this was the last. A page may be short of `limit`."""

    jobs: list[Entry]
    before: int | None


class Happened(BaseModel):
    """A line of a history."""

    at: datetime
    what: str
    why: str


class Delivered(BaseModel):
    """What a destination said to one object."""

    kind: str
    destination: str
    state: str
    answer: str


class Likeness(BaseModel):
    """How unlike the usual series of the site a job's volume is to its model."""

    score: float
    percentile: float  # 0 to 100, among the reference series
    calibration: str  # SHA-256 of the file that holds the reference


class Taken(BaseModel):
    """A series that a job works on, by the name that its rule and its model give it."""

    name: str
    series_instance_uid: str


class Story(BaseModel):
    """One job and all that is known of it."""

    id: int
    series_instance_uid: str
    version: int
    rule: str
    model: str
    model_version: str
    volume: str
    state: str
    stage: str | None
    reason: str
    seconds: dict[str, float]
    segments: list[dict[str, object]]
    results: list[str]  # kinds
    inputs: list[Taken]  # of a rule that needs several series of a study; empty: the one series above
    likeness: Likeness | None  # null: not judged
    deliveries: list[Delivered]
    history: list[Happened]


class Cancel(BaseModel):
    """Why."""

    reason: str = Field("canceled on request", min_length=1, max_length=500)


class Retry(BaseModel):
    """Why."""

    reason: str = Field("tried again on request", min_length=1, max_length=500)


class Target(BaseModel):
    """A model that gets no jobs, or a destination that gets no objects."""

    kind: Literal["model", "destination"]
    name: str = Field(min_length=1, max_length=128)


class Paused(Target):
    """Since when, and by whom."""

    at: datetime
    actor: str


class Changed(BaseModel):
    """Whether anything changed; false: it was so already."""

    changed: bool


def jobs_router(database: Database, clock: Callable[[], datetime], groups: Mapping[str, Collection[str]]) -> APIRouter:
    """A thin shell over pipeline.jobs. `groups` of destinations, with their members."""
    router = APIRouter(prefix="/jobs", tags=["jobs"])

    @router.get("", summary="List jobs, newest first")
    def listed(
        actor: Reads,
        state: JobState | None = None,
        model: _Text = None,
        destination: _Text = None,
        priority: Literal["stat", "routine", "low"] | None = None,
        text: _Text = None,
        before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
        limit: Annotated[int, Query(ge=1, le=jobs.MOST)] = 50,
    ) -> Page:
        wanted = Wanted(state, model, destination, priority, text, by_patient=actor.sees_patients)
        found = jobs.list_jobs(database, wanted, before, limit)
        return Page(jobs=list(found.jobs), before=found.before)

    @router.get("/paused", summary="What is paused")
    def paused(_actor: Reads) -> list[Paused]:
        return [Paused.model_validate(vars(one)) for one in jobs.paused(database)]

    @router.post("/pause", summary="Begin no more jobs of a model, or send no more to a destination")
    def pause(target: Target, actor: Operates) -> Changed:
        return Changed(changed=jobs.pause(database, target.kind, target.name, actor.name, clock()))

    @router.post("/resume", summary="End a pause: what waited is due at once")
    def resume(target: Target, actor: Operates) -> Changed:
        return Changed(changed=jobs.resume(database, target.kind, target.name, clock(), actor.name, groups))

    @router.get("/{job_id}", summary="One job: its history, its results, and what each destination answered")
    def shown(job_id: int, _actor: Reads) -> Story:
        return _story(jobs.show(database, row_number(job_id)))

    @router.post("/{job_id}/retry", summary="Try a failed, canceled, held or not processable job again")
    def retry(job_id: int, actor: Operates, why: Retry | None = None) -> Story:
        jobs.retry(database, row_number(job_id), actor.name, clock(), (why or Retry()).reason)
        return _story(jobs.show(database, job_id))

    @router.post("/{job_id}/cancel", summary="Cancel a job that is not finished; what was delivered stays delivered")
    def cancel(job_id: int, actor: Operates, why: Cancel | None = None) -> Story:
        jobs.cancel(database, row_number(job_id), (why or Cancel()).reason, actor.name, clock())
        return _story(jobs.show(database, job_id))

    return router


def _story(found: jobs.Story) -> Story:
    one = found.job
    return Story(
        id=one.id,
        series_instance_uid=found.series_instance_uid,
        version=one.version,
        rule=one.rule,
        model=one.model,
        model_version=one.model_version,
        volume=one.volume,
        state=one.state,
        stage=one.stage,
        reason=one.reason,
        seconds=dict(one.seconds),
        segments=[dict(segment) for segment in one.segments],
        results=[kind for kind, _ in one.results],
        inputs=[Taken(name=name, series_instance_uid=uid) for name, uid in one.inputs],
        likeness=Likeness.model_validate(vars(one.likeness)) if one.likeness else None,
        deliveries=[
            Delivered(kind=kind, destination=to, state=state, answer=answer)
            for kind, to, state, answer in one.deliveries
        ],
        history=[Happened(at=event.at, what=event.what, why=event.why) for event in found.history],
    )
