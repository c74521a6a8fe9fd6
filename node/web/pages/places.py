"""Destinations, groups of them and sources: where results go, who may send, and whether it works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from node.core.access import Actor, Right
from node.core.inspection import Verdict
from node.core.places import Family, Key, Place, flat
from node.errors import NoSuch
from node.pipeline.destinations import Destinations
from node.pipeline.places import Places
from node.pipeline.senders import Senders
from node.web.access import may
from node.web.pages.pages import Crumb, Pages

Reading = Annotated[Actor, Depends(may(Right.READ))]
Administering = Annotated[Actor, Depends(may(Right.ADMINISTER))]

STATES = {"fault": "bad", "paused": "hold", "maintenance": "wait", "failing": "bad", "queued": "work", "idle": "good"}
APIS = {Family.DESTINATION: "destinations", Family.GROUP: "destination-groups", Family.SOURCE: "sources"}
VERDICTS = {Verdict.OK: "good", Verdict.ATTENTION: "hold", Verdict.FAILED: "bad", Verdict.NOT_ASKED: "off"}


def places_pages(pages: Pages, destinations: Destinations, senders: Senders) -> APIRouter:
    """/admin/places."""
    router = APIRouter(include_in_schema=False)
    places = destinations.places
    top = Crumb(pages.texts("places.title"), "/admin/places")

    @router.get("/places")
    def listed(request: Request, _actor: Reading) -> HTMLResponse:
        known, standings = senders.listed(), destinations.standings()
        return pages.page(
            request,
            "places/list.html",
            "places",
            standings=standings,
            groups=destinations.groups_now(standings),
            sources=places.listed(Family.SOURCE),
            waiting=[one for one in known if one.waits],
            others=[one for one in known if not one.waits],
            states=STATES,
        )

    @router.get("/places/add/{family}")
    def add(request: Request, family: str, _actor: Administering, kind: str | None = None) -> HTMLResponse:
        of = _family(family)
        kinds = places.book.kinds(of)
        chosen = kind if kind in kinds else kinds[0]
        new = Place(of, "", chosen, {})
        crumbs = [top, Crumb(pages.texts(f"places.add.{of}"))]
        return pages.page(
            request,
            "places/form.html",
            "places",
            place=new,
            kinds=kinds,
            groups=_groups(places.book.keys(of, chosen), new),
            api=f"/api/v1/{APIS[of]}",
            crumbs=crumbs,
        )

    @router.get("/places/{family}/{name}")
    def shown(request: Request, family: str, name: str, _actor: Reading) -> Response:
        of = _family(family)
        # A delivery names a group until one of its members took it.
        if of is Family.DESTINATION and (group := _group(places, name)):
            return RedirectResponse(address_of(group), 303)
        place = places.get(of, name)
        return pages.page(
            request,
            "places/place.html",
            "places",
            place=place,
            standing=destinations.standing(name) if of is Family.DESTINATION else None,
            group=destinations.group_now(name) if of is Family.GROUP else None,
            written=_written(places.book.keys(of, place.kind), place),
            rules=[] if of is Family.SOURCE else places.naming_rules(name),
            groups=places.naming_groups(name) if of is Family.DESTINATION else [],
            history=places.history(of, name),
            address=f"/api/v1/{APIS[of]}/{quote(name, safe='')}",
            states=STATES,
            verdicts=VERDICTS,
            crumbs=[top, Crumb(name)],
        )

    @router.get("/places/{family}/{name}/edit")
    def edit(request: Request, family: str, name: str, _actor: Administering) -> HTMLResponse:
        of = _family(family)
        place = places.get(of, name)
        crumbs = [top, Crumb(name, address_of(place)), Crumb(pages.texts("places.edit"))]
        return pages.page(
            request,
            "places/form.html",
            "places",
            place=place,
            kinds=(place.kind,),
            groups=_groups(places.book.keys(of, place.kind), place),
            api=f"/api/v1/{APIS[of]}",
            crumbs=crumbs,
        )

    return router


def address_of(place: Place) -> str:
    """Of the page of one."""
    return f"/admin/places/{place.family}/{quote(place.name, safe='')}"


def _group(places: Places, name: str) -> Place | None:
    """The group of this name, where no destination has it."""
    if any(one.name == name for one in places.listed(Family.DESTINATION)):
        return None
    return next((one for one in places.listed(Family.GROUP) if one.name == name), None)


def _family(text: str) -> Family:
    if text not in (*Family,):
        raise NoSuch(f"there are no places of the family {text[:32]}")
    return Family(text)


def _groups(keys: Sequence[Key], place: Place) -> list[tuple[str, list[tuple[Key, object]]]]:
    """Keys that belong together, each with what is written of it."""
    written = flat(place.keys)
    return [
        (group, [(key, written.get(key.name, key.default)) for key in mine])
        for group, mine in groupby(keys, key=lambda one: one.group)
    ]


def _written(keys: Sequence[Key], place: Place) -> Mapping[str, object]:
    """What differs from the defaults, in the order of the form."""
    there = flat(place.keys)
    return {key.name: there[key.name] for key in keys if key.name in there}
