"""/api/v1/destinations: where results go, how each stands, and its test."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from node.core.places import Family
from node.pipeline.destinations import Destinations, Standing
from node.web.api.places import Operating, Reading, Shown, add_keeping
from node.web.streams import LINES, line_by_line


class Stands(Shown):
    """A destination and how it stands."""

    state: str = Field(description="fault, paused, maintenance, failing, queued or idle")
    told: str = Field(description="The same in a sentence")
    queued: int
    oldest: datetime | None
    failures: int = Field(description="In a row")
    failing_since: datetime | None
    next_try_at: datetime | None
    reason: str = Field(description="Of the last failure")
    paused_at: datetime | None
    paused_by: str
    tested_at: datetime | None
    card: dict[str, Any] = Field(description="What the last test saw")

    @classmethod
    def now(cls, one: Standing) -> Stands:
        return cls(
            **Shown.of(one.place).model_dump(),
            state=one.state,
            told=one.told,
            queued=one.queued,
            oldest=one.oldest,
            failures=one.breaker.failures,
            failing_since=one.breaker.since,
            next_try_at=one.breaker.next_try_at,
            reason=one.breaker.reason,
            paused_at=one.paused.at if one.paused else None,
            paused_by=one.paused.actor if one.paused else "",
            tested_at=one.tested_at,
            card=dict(one.card),
        )


class Step(BaseModel):
    """A line of a test: what was asked, how it went, and what to do about it."""

    part: str
    verdict: str = Field(description="ok, attention, failed or not asked")
    sentence: str
    cure: str
    seconds: float


class Changed(BaseModel):
    """Whether anything changed; false: it was so already."""

    changed: bool


def destinations_router(destinations: Destinations) -> APIRouter:
    """Everything below /api/v1/destinations."""
    router = APIRouter(prefix="/destinations", tags=["destinations"])

    @router.get("", summary="Those of node.toml, then those that were added, and how each stands")
    def listed(_actor: Reading) -> list[Stands]:
        return [Stands.now(one) for one in destinations.standings()]

    add_keeping(router, Family.DESTINATION, destinations.places)

    @router.get("/{name}/standing", summary="How one stands, with the card of its last test")
    def standing(name: str, _actor: Reading) -> Stands:
        return Stands.now(destinations.standing(name))

    @router.post(
        "/{name}/test",
        summary="Test it with a synthetic report: each step comes as a line when it is done; the card is kept",
        response_class=Response,
        responses={200: {"content": {LINES: {"schema": Step.model_json_schema()}}}},
    )
    def test(name: str, _actor: Operating) -> Response:
        return line_by_line(destinations.test(name))

    @router.post("/{name}/pause", summary="Send no more to it: what is for it waits")
    def pause(name: str, actor: Operating) -> Changed:
        return Changed(changed=destinations.pause(name, actor.name))

    @router.post("/{name}/resume", summary="End the pause: what waited is due at once")
    def resume(name: str, actor: Operating) -> Changed:
        return Changed(changed=destinations.resume(name, actor.name))

    return router
