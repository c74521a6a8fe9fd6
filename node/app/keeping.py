"""What changes destinations and sources, and the routes of it."""

from __future__ import annotations

from fastapi import APIRouter

from node.adapters.database import Database
from node.app.clock import Clock
from node.app.destinations import build_destination
from node.app.places import Places, SettingsBook
from node.config import Settings
from node.pipeline import places as keeping
from node.pipeline.rule_sets.in_use import InUse
from node.web.api.destinations import destinations_router
from node.web.api.sources import sources_router


def build_keeping(settings: Settings, database: Database, clock: Clock, live: Places | None = None) -> keeping.Places:
    """`live`: of the process that runs, which sees its own changes at once."""
    book = SettingsBook(settings, database, lambda one: build_destination(one, settings.node.ae_title), live)
    return keeping.Places(database, book, clock, InUse(database))


def build_places_routers(places: Places, database: Database, clock: Clock) -> list[APIRouter]:
    """/api/v1/destinations and /api/v1/sources of this process."""
    kept = build_keeping(places.file, database, clock, places)
    return [destinations_router(kept), sources_router(kept)]
