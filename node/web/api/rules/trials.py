"""Trying drafts: over what is kept, and on live series."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from node.adapters.database import shadows
from node.errors import NoSuch
from node.pipeline.rule_sets.background import Background
from node.pipeline.rule_sets.drafts import Drafts
from node.pipeline.rule_sets.shadow import Seen, seen_by_shadow
from node.pipeline.rule_sets.sight import demand_sight
from node.pipeline.rule_sets.versions import TEXT_AT_MOST, Change, Versions
from node.web.api.numbers import row_number
from node.web.api.rules.shapes import OtherSeries, Shadowed, ToShadow, ToTry, Tried
from node.web.api.rules.who import Reader, Writer, author_of


def add_trials(router: APIRouter, versions: Versions, background: Background) -> None:
    """Routes that change nothing for any series."""
    database = versions.database

    @router.post("/simulations", status_code=202, summary="Begin to try a draft on the series that came")
    def simulate(draft: ToTry, actor: Writer) -> Tried:
        author = author_of(actor, draft.author)
        demand_sight(actor, draft.files, versions)
        return Tried.model_validate(vars(background.start(draft.files, author, draft.days, draft.against)))

    @router.get("/simulations/{simulation}", summary="How far a simulation is, and what it found")
    def simulation(simulation: int, actor: Reader) -> Tried:
        return Tried.model_validate(vars(background.get(row_number(simulation))))

    @router.get("/shadow", summary="What the draft in the shadow would have done otherwise")
    def shadow(actor: Reader, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Shadowed:
        seen = seen_by_shadow(database, limit)
        if seen is None:
            raise NoSuch("nothing is in the shadow")
        return _shadowed(seen)

    @router.put("/shadow", summary="Put a draft into the shadow: asked about every series, obeyed for none")
    def begin(draft: ToShadow, actor: Writer) -> Shadowed:
        author = author_of(actor, draft.author)
        files = Drafts(versions).standing(actor.name).draft.files if draft.files is None else draft.files
        demand_sight(actor, files, versions)
        version = versions.keep(files, Change(author, "in the shadow"))
        shadows.begin(database, version, author, versions.clock())
        return shadow(actor)

    @router.delete("/shadow", status_code=204, summary="Take the draft out of the shadow")
    def end(actor: Writer, author: Annotated[str | None, Query(min_length=1, max_length=TEXT_AT_MOST)] = None) -> None:
        shadows.begin(database, "", author_of(actor, author), versions.clock())


def _shadowed(seen: Seen) -> Shadowed:
    return Shadowed(
        version=seen.shadow.version,
        since=seen.shadow.at,
        author=seen.shadow.author,
        series=seen.series,
        differing=seen.differing,
        sentence=seen.sentence,
        listed=[
            OtherSeries(
                series_instance_uid=one.series_instance_uid,
                at=one.at,
                did=str(one.decided.get("does", "")),
                would_have=str(one.would.get("does", "")),
            )
            for one in seen.listed
        ],
    )
