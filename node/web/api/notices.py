"""/api/v1/notices: what is wrong, who was told, and who can be reached."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from node.adapters.database.notices import Sent
from node.core.access import Actor, Right
from node.core.notices import Alarm, Severity
from node.pipeline.notices import people
from node.pipeline.notices.people import Notices, Reached
from node.web.access import may

_HIGHEST = 2**31 - 1


class Notice(BaseModel):
    """A cause: what is wrong, since when, and who knows. `ended_at`: it is over."""

    id: int
    kind: str
    name: str  # which destination, model, rule ...
    severity: Severity
    what: str
    number: int  # of things that are wrong
    first_at: datetime
    last_at: datetime
    ended_at: datetime | None
    paused: bool  # a person paused what it is about: nobody is told
    acknowledged_at: datetime | None
    acknowledged_by: str


class Page(BaseModel):
    """Causes, the newest first. `before` asks for the next page; null: this was the last."""

    notices: list[Notice]
    before: int | None


class Told(BaseModel):
    """A message that was taken."""

    at: datetime
    notice: int
    listener: str
    what: str
    subject: str


class Listeners(BaseModel):
    """Who is told. `unknown`: names that rules tell, and that no [[notify]] has."""

    listeners: list[Reached]
    unknown: list[str]


class Test(BaseModel):
    """Whom."""

    name: str = Field(min_length=1, max_length=64)


class Done(BaseModel):
    """A message was taken over."""

    sent: bool = True


def notices_router(notices: Notices) -> APIRouter:
    """A thin shell over pipeline.notices.people."""
    router = APIRouter(prefix="/notices", tags=["notices"])

    @router.get("", summary="List what is or was wrong, the newest first")
    def listed(
        _actor: Annotated[Actor, Depends(may(Right.READ))],
        open_only: bool = False,
        before: Annotated[int | None, Query(ge=1, le=_HIGHEST)] = None,
        limit: Annotated[int, Query(ge=1, le=people.MOST)] = 50,
    ) -> Page:
        found = notices.listed(before, limit, only_open=open_only)
        return Page(notices=[_notice(one) for one in found.alarms], before=found.before)

    @router.get("/sent", summary="The messages that were sent last")
    def sent(_actor: Annotated[Actor, Depends(may(Right.READ))]) -> list[Told]:
        return [_told(one) for one in notices.sent()]

    @router.get("/listeners", summary="Who is told, and whether they can be reached")
    def listeners(_actor: Annotated[Actor, Depends(may(Right.READ))]) -> Listeners:
        return Listeners(listeners=list(notices.reached()), unknown=list(notices.unreachable()))

    @router.post(
        "/{notice_id}/acknowledge", summary="Somebody knows: silence until there is more of it, or it is worse"
    )
    def acknowledge(notice_id: int, actor: Annotated[Actor, Depends(may(Right.OPERATE))]) -> Notice:
        return _notice(notices.acknowledge(notice_id if 0 < notice_id <= _HIGHEST else 0, actor.name))

    @router.post("/test", summary="Send a test message to somebody")
    def test(whom: Test, _actor: Annotated[Actor, Depends(may(Right.OPERATE))]) -> Done:
        notices.test(whom.name)
        return Done()

    return router


def _notice(one: Alarm) -> Notice:
    return Notice(
        id=one.id,
        kind=one.kind,
        name=one.name,
        severity=one.severity,
        what=one.what,
        number=one.number,
        first_at=one.first_at,
        last_at=one.last_at,
        ended_at=one.ended_at,
        paused=one.known,
        acknowledged_at=one.acknowledged_at,
        acknowledged_by=one.acknowledged_by,
    )


def _told(one: Sent) -> Told:
    return Told(at=one.at, notice=one.alarm_id, listener=one.listener, what=one.what, subject=one.subject)
