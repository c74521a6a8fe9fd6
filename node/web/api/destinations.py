"""/api/v1/destinations: where results go."""

from __future__ import annotations

from fastapi import APIRouter

from node.core.places import Family
from node.pipeline.places import Places
from node.web.api.places import Reading, Shown, add_keeping


def destinations_router(places: Places) -> APIRouter:
    """Everything below /api/v1/destinations."""
    router = APIRouter(prefix="/destinations", tags=["destinations"])

    @router.get("", summary="Those of node.toml, then those that were added")
    def listed(_actor: Reading) -> list[Shown]:
        return [Shown.of(one) for one in places.listed(Family.DESTINATION)]

    add_keeping(router, Family.DESTINATION, places)
    return router
