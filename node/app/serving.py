"""Serving: what is to be had over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.routing import BaseRoute

from node.config import Settings
from node.pipeline.archive import Archive
from node.pipeline.reception import Reception
from node.web import Health, Web, api_routes, dicomweb_routes, health_routes


def build_web(settings: Settings, health: Health, reception: Reception | None, archive: Archive | None = None) -> Web:
    """The HTTP server with everything it offers."""
    routes: list[BaseRoute] = [
        *health_routes(health),
        *dicomweb_routes(reception, settings.http.max_request, archive),
        *api_routes(_routers()),
    ]
    return Web(routes)


def _routers() -> list[APIRouter]:
    """What stands below /api/v1; one for each subject."""
    return []
