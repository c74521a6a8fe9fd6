"""What changes destinations, groups and sources, what tests them, and the routes of it."""

from __future__ import annotations

from fastapi import APIRouter

from node.adapters.database import Database
from node.adapters.destinations import Destination
from node.app.checking import all_parts
from node.app.clock import Clock
from node.app.destinations import build_destination, groups_of, policy_of, wanted_forms
from node.app.drill.running import Drill
from node.app.places import LiveMapping, Places, SettingsBook
from node.app.support import build_bundle
from node.config import Settings
from node.errors import NoSuch
from node.pipeline import places as keeping
from node.pipeline.destinations import Destinations
from node.pipeline.examination import Asked
from node.pipeline.rule_sets.in_use import InUse
from node.pipeline.senders import Senders
from node.web.api.check import check_router
from node.web.api.destinations import destinations_router
from node.web.api.drill import drill_router
from node.web.api.groups import groups_router
from node.web.api.senders import senders_router
from node.web.api.sources import sources_router
from node.web.api.support import support_router


def build_keeping(settings: Settings, database: Database, clock: Clock, live: Places | None = None) -> keeping.Places:
    """`live`: of the process that runs, which sees its own changes at once."""
    book = SettingsBook(settings, database, lambda one: build_destination(one, settings.node.ae_title), live)
    return keeping.Places(database, book, clock, InUse(database))


def build_destinations(live: Places, database: Database, clock: Clock) -> Destinations:
    """What pages, API and command line ask and tell destinations."""

    def build(name: str) -> tuple[Destination, Asked]:
        settings = live.settings()
        one = next((one for one in settings.destination if one.name == name), None)
        if one is None:
            raise NoSuch(f"destination {name} is not in use: see why in the list")
        mine = settings.node.ae_title
        asked = Asked(mine, wanted_forms(settings)[name], clock(), removes=one.remove_test_object, proof=one.proof)
        return build_destination(one, mine), asked

    return Destinations(
        database,
        build_keeping(live.file, database, clock, live),
        LiveMapping(live, lambda settings: {one.name: policy_of(one) for one in settings.destination}),
        LiveMapping(live, groups_of),
        build,
        clock,
    )


def build_places_routers(places: Places, database: Database, clock: Clock) -> list[APIRouter]:
    """Routes of destinations, destination-groups, sources, senders, check, support and drill, below /api/v1."""
    destinations = build_destinations(places, database, clock)
    return [
        destinations_router(destinations),
        groups_router(destinations),
        sources_router(destinations.places),
        senders_router(Senders(database, clock)),
        check_router(lambda ledger: all_parts(places, database, clock, ledger=ledger, starts=False)),
        drill_router(Drill(places, database, clock)),
        support_router(lambda: build_bundle(places, database, clock, starts=False)),
    ]
