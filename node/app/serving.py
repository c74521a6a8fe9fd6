"""Serving: what is to be had over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from fastapi import APIRouter
from starlette.routing import BaseRoute

from node.adapters.database import Database
from node.app.access import Doors
from node.app.clock import Clock, utc_now
from node.app.destinations import groups_of, wanted_forms
from node.app.keeping import build_places_routers
from node.app.keeping_pages import build_places_pages
from node.app.noticing import build_notices
from node.app.places import LiveMapping, Places
from node.app.rules import build_rules_room, build_rules_router
from node.config import Settings
from node.pipeline.archive import Archive
from node.pipeline.forms import Choice
from node.pipeline.inbox import Inbox
from node.pipeline.notices.people import Notices
from node.pipeline.overlay import overlay
from node.pipeline.reception import Reception
from node.pipeline.rerouting import Rerouting
from node.web import Health, Web, api_routes, dicomweb_routes, health_routes, viewer_routes
from node.web.access import Open
from node.web.api.inbox import inbox_router
from node.web.api.job_actions import job_actions_router
from node.web.api.jobs import jobs_router
from node.web.api.notices import notices_router
from node.web.api.series import series_router
from node.web.pages import Pages, page_routes
from node.web.pages.access import access_pages
from node.web.pages.inbox import Box, inbox_pages
from node.web.pages.notices import notices_pages
from node.web.pages.rules import Room, rules_pages
from node.web.pages.trace import Studies, trace_pages

Shown = Callable[[Pages], Sequence[APIRouter]]  # pages, given their frame


def build_web(
    settings: Settings,
    health: Health,
    reception: Reception | None,
    archive: Archive | None = None,
    routers: Sequence[APIRouter] = (),
    clock: Clock = utc_now,
    doors: Doors | None = None,
    shown: Shown = lambda _pages: (),
    leave: Callable[[], None] = lambda: None,
) -> Web:
    """The HTTP server with everything it offers. `doors` ask who wants it; without them only loopback is served.

    `leave` is called when it stops: it ends answers that go on as long as somebody listens.
    """
    routes: list[BaseRoute] = [
        *health_routes(health),
        *dicomweb_routes(reception, settings.http.max_request, archive),
        *api_routes([*routers, *(doors.routers() if doors and routers else ())]),
    ]
    if archive:
        routes += viewer_routes(settings.viewer_folder, partial(overlay, health.database, archive))
    pages = Pages(clock, settings.node.ae_title)
    if routers:
        mine = access_pages(pages, doors.signing_in, doors.oidc) if doors else ()
        routes += page_routes(pages, [*shown(pages), *mine])
    access = doors.layer() if doors else Open

    def leaving() -> None:
        pages.live.stop()
        leave()

    return Web(routes, access, leaving=leaving)


def build_routers(
    places: Places, database: Database, clock: Clock, rules: Room | None = None, notices: Notices | None = None
) -> list[APIRouter]:
    """What stands below /api/v1; one for each subject. `rules` and `notices`: that the pages read too, so that each
    is held once.
    """
    rerouting = Rerouting(
        database,
        lambda: places.settings().destination_names,
        Choice(database, LiveMapping(places, wanted_forms, looks_again=True)),
        clock,
    )
    return [
        jobs_router(database, clock, LiveMapping(places, groups_of)),
        job_actions_router(database, rerouting, clock),
        series_router(database, clock),
        inbox_router(Inbox(database, clock)),
        build_rules_router(places, rules or build_rules_room(places, database, clock)),
        *build_places_routers(places, database, clock),
        notices_router(notices or build_notices(places.file, database, clock)),
    ]


def build_pages(places: Places, database: Database, rules: Room | None = None, notices: Notices | None = None) -> Shown:
    """What stands below /admin; one router for each subject."""

    def shown(pages: Pages) -> list[APIRouter]:
        return [
            trace_pages(pages, Studies(database, lambda: places.settings().destination_names)),
            inbox_pages(pages, Box.of(Inbox(database, pages.clock), database)),
            *build_places_pages(pages, places, database),
            rules_pages(pages, rules or build_rules_room(places, database, pages.clock)),
            notices_pages(pages, notices or build_notices(places.file, database, pages.clock)),
        ]

    return shown
