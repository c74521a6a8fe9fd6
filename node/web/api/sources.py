"""/api/v1/sources: where instances come from."""

from __future__ import annotations

from fastapi import APIRouter

from node.core.places import Family
from node.pipeline.places import Places
from node.web.api.places import Reading, Shown, add_keeping


def sources_router(places: Places) -> APIRouter:
    """Everything below /api/v1/sources."""
    router = APIRouter(prefix="/sources", tags=["sources"])

    @router.get("", summary="Those of node.toml, then those that were added")
    def listed(_actor: Reading) -> list[Shown]:
        return [Shown.of(one) for one in places.listed(Family.SOURCE)]

    add_keeping(router, Family.SOURCE, places)
    return router
