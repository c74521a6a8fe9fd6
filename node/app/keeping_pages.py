"""The pages of destinations and sources, and of check and drill."""

from __future__ import annotations

from fastapi import APIRouter

from node.adapters.database import Database
from node.app.drill.running import Drill
from node.app.keeping import build_destinations
from node.app.places import Places
from node.pipeline.senders import Senders
from node.web.pages import Pages
from node.web.pages.drill import drill_pages
from node.web.pages.places import places_pages


def build_places_pages(pages: Pages, places: Places, database: Database) -> list[APIRouter]:
    """/admin/places and /admin/drill of this process."""
    destinations = build_destinations(places, database, pages.clock)
    drill = Drill(places, database, pages.clock)
    return [
        places_pages(pages, destinations, Senders(database, pages.clock)),
        drill_pages(pages, drill.last_lines),
    ]
