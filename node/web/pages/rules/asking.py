"""Why, and why not: all rules and the series that somebody means."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from node.core.access import Actor
from node.errors import Usage
from node.pipeline.rule_sets.asking import Asked, ask_all
from node.pipeline.rule_sets.sight import demand_sight
from node.web.pages.pages import Crumb, Pages
from node.web.pages.rules.room import Reader, Room, named_files


class Question(BaseModel):
    """What is asked; an accession number is in no address."""

    text: str = Field(max_length=128)
    draft: bool = False


def add_asking(router: APIRouter, pages: Pages, room: Room) -> None:
    """/admin/rules/-/why."""
    home = Crumb(pages.texts("rules.title"), "/admin/rules")

    @router.get("/-/why")
    def why(
        request: Request,
        actor: Reader,
        series: Annotated[str, Query(max_length=128)] = "",
        draft: bool = False,  # a query parameter
    ) -> HTMLResponse:
        found, problem, files = _asked(room, actor, Question(text=series, draft=draft)) if series else ([], "", {})
        return pages.page(
            request,
            "rules/why.html",
            "rules",
            crumbs=[home, Crumb(pages.texts("rules.why.title"))],
            series=series,
            draft=draft,
            found=found,
            problem=problem,
            names=files,
        )

    @router.post("/-/why/answer")
    def answer(request: Request, actor: Reader, question: Question) -> HTMLResponse:
        found, problem, names = _asked(room, actor, question)
        return pages.fragment(
            request, "rules/answer.html", found=found, problem=problem, names=names, draft=question.draft
        )


def _asked(room: Room, actor: Actor, question: Question) -> tuple[list[Asked], str, dict[str, str]]:
    """What the rules say; or why they cannot be asked; and the names under which files are edited."""
    standing = room.drafts.standing(actor.name)
    files = standing.draft.files if question.draft else standing.files_in_use
    names = {file: name for name, file in named_files(standing.draft.files).items()}
    try:
        demand_sight(actor, files, room.versions)
        return ask_all(room.database, question.text, files), "", names
    except Usage as wrong:
        return [], str(wrong), names
