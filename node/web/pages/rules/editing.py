"""One rule file, as form and as text on one model."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from node.adapters.database import rule_series
from node.core.rules.parse import SET_FILE
from node.errors import NoSuch
from node.web.pages.pages import Crumb, Pages
from node.web.pages.rules.listing import Line, lines
from node.web.pages.rules.room import Reader, Room, named_files


def add_editing(router: APIRouter, pages: Pages, room: Room) -> None:
    """/admin/rules/{name} and /admin/rules/-/from."""
    home = Crumb(pages.texts("rules.title"), "/admin/rules")

    @router.get("/-/from")
    def from_series(
        request: Request,
        actor: Reader,
        series: Annotated[str, Query(max_length=128)],
        model: Annotated[str | None, Query(max_length=64)] = None,
    ) -> HTMLResponse:
        draft = room.drafts.standing(actor.name).draft
        return pages.page(
            request,
            "rules/from.html",
            "rules",
            crumbs=[home, Crumb(pages.texts("rules.from.title"))],
            made=room.suggesting.from_series(series, model, draft.files),
            series=next(iter(rule_series.named(room.database, series)), None),
            series_instance_uid=series,
            models=room.suggesting.known().models,
        )

    @router.get("/{name}")
    def editor(request: Request, name: str, actor: Reader) -> HTMLResponse:
        room.suggesting.lately.begin()
        standing = room.drafts.standing(actor.name)
        files = standing.draft.files
        named = named_files(files)
        file = named.get(name, name if name in files else "")
        if not file:
            raise NoSuch(pages.texts("rules.editor.missing", name=name[:64]))
        known = room.suggesting.known()
        rules = lines(standing, (), ())
        return pages.page(
            request,
            "rules/editor.html",
            "rules",
            crumbs=[home, Crumb(name)],
            name=name,
            file=file,
            text=files[file],
            is_set=file == SET_FILE,
            standing=standing,
            before=_beside(rules, file, -1),
            after=_beside(rules, file, 1),
            models=known.models,
            destinations=known.destinations,
            words=pages.texts.all_below("rules.js"),
        )


def _beside(rules: list[Line], file: str, step: int) -> Line | None:
    """The rule before or after."""
    place = next((place for place, one in enumerate(rules) if one.file == file), None)
    if place is None or not 0 <= place + step < len(rules):
        return None
    return rules[place + step]
