"""The list of rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from node.adapters.database import drafts as draft_rows
from node.adapters.database import proposals, shadows
from node.adapters.database.hits import Hits, hits
from node.core.rules import Actions, Mistake, Rule, Severity, parse_rule_set
from node.core.rules.parse import SET_FILE
from node.errors import BadConfiguration
from node.pipeline.rule_sets.drafts import Standing
from node.web.pages.pages import Pages
from node.web.pages.rules.room import Reader, Room, named_files


@dataclass(frozen=True)
class Line:
    """A rule as the list shows it."""

    name: str  # in addresses
    file: str
    rule: Rule | None  # None: it cannot be read
    hits: Hits | None
    changed: str  # new, changed, or "": as it is in use
    errors: int
    warnings: int

    @property
    def does(self) -> Sequence[tuple[str, str]]:
        """What it does, a word and what with."""
        return told(self.rule.then) if self.rule else ()


def add_listing(router: APIRouter, pages: Pages, room: Room) -> None:
    """/admin/rules."""

    @router.get("")
    def rules(request: Request, actor: Reader) -> HTMLResponse:
        room.suggesting.lately.begin()
        standing = room.drafts.standing(actor.name)
        mistakes = room.check(standing.draft.files)
        return pages.page(
            request,
            "rules/list.html",
            "rules",
            standing=standing,
            lines=lines(standing, mistakes, hits(room.database, room.versions.clock())),
            mistakes=mistakes,
            names={file: name for name, file in named_files(standing.draft.files).items()},
            gone=[name for name in standing.changed if name not in standing.draft.files],
            set_file=SET_FILE,
            proposals=proposals.waiting(room.database),
            shadow=shadows.current(room.database),
            others=[one for one in draft_rows.authors(room.database) if one[0] != actor.name],
        )


def lines(standing: Standing, mistakes: Sequence[Mistake], counted: Sequence[Hits]) -> list[Line]:
    """A line for each rule of the draft, in order."""
    files = standing.draft.files
    of_rule = {one.rule: one for one in counted}
    read = {file: _rule(files, file) for file in files}
    found = []
    for name, file in named_files({name: text for name, text in files.items() if name != SET_FILE}).items():
        mine = [one for one in mistakes if one.file == file]
        errors = sum(1 for one in mine if one.severity is Severity.ERROR)
        before = standing.files_in_use.get(file)
        changed = "" if before == files[file] else "new" if before is None else "changed"
        rule = read[file]
        found.append(
            Line(name, file, rule, of_rule.get(rule.name if rule else name), changed, errors, len(mine) - errors)
        )
    return found


def told(then: Actions) -> list[tuple[str, str]]:
    """What a rule does, a word and what with."""
    found = [("infer", f"{one.model}@{one.version}" if one.version else one.model) for one in then.infer]
    found += [("deliver", name) for name in then.deliver]
    found += [("tag", tag) for tag in then.tags]
    found += [("notify", ", ".join(notice.to)) for notice in then.notices]
    found += [("hold", then.hold)] if then.hold is not None else []
    found += [("ignore", then.ignore)] if then.ignore is not None else []
    return found


def _rule(files: Mapping[str, str], file: str) -> Rule | None:
    """One file by itself, with the lists it may use."""
    alone = {name: files[name] for name in (SET_FILE, file) if name in files}
    try:
        return next((rule for rule in parse_rule_set(alone).rules if rule.file == file), None)
    except BadConfiguration:
        return None
