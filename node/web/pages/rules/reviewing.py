"""From a draft to a version in use: what it changes, what it would have done, why; and a draft in the shadow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from node.adapters.database import simulations
from node.core.rules import Severity, version_of
from node.pipeline.rule_sets.shadow import seen_by_shadow
from node.pipeline.rule_sets.versions import difference
from node.web.pages.pages import Crumb, Pages
from node.web.pages.rules.room import Reader, Room, named_files

_LISTED = 200


@dataclass(frozen=True)
class DiffLine:
    """A line of a difference."""

    look: str  # file, place, more, less, same
    text: str


def add_reviewing(router: APIRouter, pages: Pages, room: Room) -> None:
    """/admin/rules/-/draft and /admin/rules/-/shadow."""
    home = Crumb(pages.texts("rules.title"), "/admin/rules")

    @router.get("/-/draft")
    def draft(request: Request, actor: Reader) -> HTMLResponse:
        standing = room.drafts.standing(actor.name)
        files = standing.draft.files
        mistakes = room.check(files)
        done = simulations.last_of(room.database, version_of(files), standing.in_use.version)
        return pages.page(
            request,
            "rules/draft.html",
            "rules",
            crumbs=[home, Crumb(pages.texts("rules.draft.title"))],
            standing=standing,
            both=standing.three_way if standing.overtaken else (),
            diff=diff_lines(standing.files_in_use, files),
            mistakes=mistakes,
            errors=sum(1 for one in mistakes if one.severity is Severity.ERROR),
            names={file: name for name, file in named_files(files).items()},
            simulation=done,
            found=_found(done.result if done else None),
            listed=_LISTED,
            approval=room.versions.approval,
            words=pages.texts.all_below("rules.js"),
        )

    @router.get("/-/shadow")
    def shadow(request: Request, actor: Reader) -> HTMLResponse:
        standing = room.drafts.standing(actor.name)
        return pages.page(
            request,
            "rules/shadow.html",
            "rules",
            crumbs=[home, Crumb(pages.texts("rules.shadow.title"))],
            seen=seen_by_shadow(room.database, _LISTED),
            standing=standing,
        )


def diff_lines(one: Mapping[str, str], other: Mapping[str, str]) -> list[DiffLine]:
    """A difference, line by line, each with its look."""
    return [DiffLine(_look(line), line) for line in difference(one, other)]


def _look(line: str) -> str:
    if line.startswith(("--- ", "+++ ")):
        return "file"
    return {"@": "place", "+": "more", "-": "less"}.get(line[:1], "same")


def _found(result: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What a simulation found; empty where there is none."""
    return result if result is not None and "digest" in result else {}
