"""/api/v1/inbox: what is stuck, by its cause, and what is done about much of it at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from node.adapters.database.stuck import COUNTED, Group, Stuck
from node.core.access import Actor, Right, masked
from node.pipeline.inbox import AT_ONCE, MOST, Act, Chosen, Inbox
from node.web.access import may
from node.web.api.series import Why

_Reading = Annotated[Actor, Depends(may(Right.READ))]
_Operating = Annotated[Actor, Depends(may(Right.OPERATE))]
_Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
_UID = Annotated[str, Field(max_length=128)]


class Cause(BaseModel):
    """All that is stuck alike."""

    cause: str = Field(description="The same for all that is stuck alike, from day to day")
    kind: str
    number: int = Field(description=f"{COUNTED}: or more")
    of: str = Field(description="jobs, or series")
    reason: str = Field(description="Of the newest one")
    model: str
    rule: str
    newest_at: datetime

    @classmethod
    def of_group(cls, group: Group) -> Cause:
        one = group.newest
        return cls(
            cause=group.cause,
            kind=group.kind,
            number=group.number,
            of="jobs" if group.of_jobs else "series",
            reason=one.reason,
            model=one.model,
            rule=one.rule,
            newest_at=one.since,
        )


class Page(BaseModel):
    """Newest first. `before` asks for the next page; null: this was the last.

    Who the patient is stays masked for accounts that may not see it.
    """

    entries: list[Stuck]
    before: str | None


class Asked(Why):
    """What is acted on: by name, or all of a cause."""

    jobs: list[_Number] = Field([], max_length=MOST)
    series: list[_UID] = Field([], max_length=MOST)
    cause: str | None = Field(None, max_length=40, description=f"All of it, {AT_ONCE} at once")


class Outcome(BaseModel):
    """How many it was done to, and how many not: somebody moved them, or it cannot be done to them."""

    done: int
    refused: int
    left: bool = Field(description="There are more of the cause: ask again")


def inbox_router(inbox: Inbox) -> APIRouter:
    """A thin shell over pipeline.inbox."""
    router = APIRouter(prefix="/inbox", tags=["inbox"])

    @router.get("", summary="What is stuck, by its cause")
    def causes(_actor: _Reading) -> list[Cause]:
        return [Cause.of_group(one) for one in inbox.groups()]

    @router.get("/{cause}", summary="What is stuck for one cause, newest first")
    def entries(
        cause: str,
        actor: _Reading,
        before: Annotated[str | None, Query(max_length=128)] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    ) -> Page:
        page = inbox.of_cause(cause, before, limit)
        return Page(entries=[masked(actor, one) for one in page.entries], before=page.before)

    @router.post("/retry", summary="Try jobs again")
    def retry(asked: Asked, actor: _Operating) -> Outcome:
        return _act(Act.RETRY, asked, actor)

    @router.post("/dismiss", summary="Nothing is to be done: they count as filtered on purpose")
    def dismiss(asked: Asked, actor: _Operating) -> Outcome:
        return _act(Act.DISMISS, asked, actor)

    @router.post("/reprocess", summary="Have the rules of this moment decide on the series anew")
    def reprocess(asked: Asked, actor: _Operating) -> Outcome:
        return _act(Act.REPROCESS, asked, actor)

    def _act(act: Act, asked: Asked, actor: Actor) -> Outcome:
        done = inbox.act(act, Chosen(asked.jobs, asked.series, asked.cause), asked.reason, actor.name)
        return Outcome(**vars(done))

    return router
