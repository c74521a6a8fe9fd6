"""/api/v1/destination-groups: destinations that stand in for one another, tried in their order."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from node.core.places import Family
from node.pipeline.destinations import Destinations, GroupStanding
from node.web.api.places import Reading, Shown, add_keeping


class Member(BaseModel):
    """One that is tried, and how it stands."""

    name: str
    state: str = Field(description="As of a destination; fault: there is none of this name")
    told: str = Field(description="The same in a sentence")


class GroupStands(Shown):
    """A group and how it stands."""

    queued: int = Field(description="Results that any member may take")
    oldest: datetime | None = Field(description="Since when the oldest job with one of them is there")
    members: list[Member] = Field(description="In the order in which they are tried")
    rules: list[str] = Field(description="In use, that deliver to it")

    @classmethod
    def now(cls, one: GroupStanding) -> GroupStands:
        return cls(
            **Shown.of(one.place).model_dump(),
            queued=one.queued,
            oldest=one.oldest,
            members=[
                Member(name=name, state=there.state if there else "fault", told=there.told if there else "is not there")
                for name, there in one.members
            ],
            rules=list(one.rules),
        )


def groups_router(destinations: Destinations) -> APIRouter:
    """Everything below /api/v1/destination-groups."""
    router = APIRouter(prefix="/destination-groups", tags=["destinations"])

    @router.get("", summary="Groups of node.toml, then those that were added, and how their members stand")
    def listed(_actor: Reading) -> list[GroupStands]:
        return [GroupStands.now(one) for one in destinations.groups_now(destinations.standings())]

    add_keeping(router, Family.GROUP, destinations.places)

    @router.get("/{name}/standing", summary="How one stands: what waits for it, and each of its members")
    def standing(name: str, _actor: Reading) -> GroupStands:
        return GroupStands.now(destinations.group_now(name))

    return router
