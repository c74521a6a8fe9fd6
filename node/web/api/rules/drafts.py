"""/api/v1/rules/draft: the rule set as its author is changing it. Every change says which revision it was made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse

from node.adapters.database import drafts as rows
from node.core.rules.form import NotAFormError
from node.core.rules.form.writing import with_key
from node.core.rules.three_way import three_way
from node.errors import NoSuch, Overtaken, Usage
from node.pipeline.rule_sets.background import Background
from node.pipeline.rule_sets.drafts import Drafts
from node.pipeline.rule_sets.sight import demand_sight
from node.web.api.rules.drafting import (
    DraftFile,
    DraftView,
    ToOrder,
    ToPublishDraft,
    ToSimulate,
    ToSwitch,
    ToTakeUp,
    ToWrite,
    ToWriteFile,
    Working,
)
from node.web.api.rules.publish import done_or_proposed
from node.web.api.rules.shapes import Proposed, Published, Tried
from node.web.api.rules.who import Reader, Writer

_Header = Annotated[str | None, Header(alias="If-Match", description='the revision as ETag: "5"')]
_Query = Annotated[int | None, Query(ge=0, le=2**31 - 1, description="the same, for who cannot send a header")]


_CONFLICTS: dict[int | str, dict[str, object]] = {
    412: {"description": "Another revision by now: `three_way` tells the draft that is stored from what was sent"}
}


def add_drafts(router: APIRouter, drafts: Drafts, background: Background) -> None:
    """Routes below /draft."""
    _add_looking(router, drafts)
    _add_files(router, drafts)
    _add_others(router, drafts)
    _add_use(router, drafts, background)


@dataclass(frozen=True)
class _Answers:
    """What the routes answer with."""

    drafts: Drafts

    def shown(self, author: str, response: Response) -> DraftView:
        view = DraftView.of(self.drafts.standing(author))
        response.headers["ETag"] = f'"{view.revision}"'
        return view

    def changed(
        self, author: str, response: Response, mine: Mapping[str, str] | None, change: Callable[[], object]
    ) -> DraftView | JSONResponse:
        """The draft after a change, or what stood against it. `mine`: the files that were sent."""
        try:
            change()
        except Overtaken as late:
            return _late(self.drafts, author, str(late), mine)
        return self.shown(author, response)


def _add_looking(router: APIRouter, drafts: Drafts) -> None:
    answers = _Answers(drafts)

    @router.get("/draft", summary="My draft, or what is in use as one that is not changed yet")
    def draft(actor: Reader, response: Response) -> DraftView:
        return answers.shown(actor.name, response)

    @router.get("/drafts", summary="Who works on a draft")
    def working(actor: Reader) -> list[Working]:
        return [Working(author=author, base=base, at=at) for author, base, at in rows.authors(drafts.versions.database)]


def _add_files(router: APIRouter, drafts: Drafts) -> None:
    answers = _Answers(drafts)

    @router.put("/draft", summary="All files of my draft", response_model=DraftView, responses=_CONFLICTS)
    def write(new: ToWrite, actor: Writer, response: Response, tag: _Header = None, revision: _Query = None) -> object:
        seen = _revision(tag, revision)
        return answers.changed(actor.name, response, new.files, lambda: drafts.write(actor.name, seen, new.files))

    @router.put("/draft/files/{file}", summary="One file of it", response_model=DraftView, responses=_CONFLICTS)
    def write_file(
        file: str, new: ToWriteFile, actor: Writer, response: Response, tag: _Header = None, revision: _Query = None
    ) -> object:
        seen, mine = _revision(tag, revision), {file: new.text}
        return answers.changed(actor.name, response, mine, lambda: drafts.write_file(actor.name, seen, file, new.text))

    @router.delete("/draft/files/{file}", summary="Take a file out", response_model=DraftView, responses=_CONFLICTS)
    def remove(file: str, actor: Writer, response: Response, tag: _Header = None, revision: _Query = None) -> object:
        seen = _revision(tag, revision)
        return answers.changed(actor.name, response, None, lambda: drafts.write_file(actor.name, seen, file, None))


def _add_others(router: APIRouter, drafts: Drafts) -> None:
    answers = _Answers(drafts)

    @router.post("/draft/order", summary="Another order of its rules", response_model=DraftView, responses=_CONFLICTS)
    def order(new: ToOrder, actor: Writer, response: Response, tag: _Header = None, revision: _Query = None) -> object:
        seen = _revision(tag, revision)
        return answers.changed(actor.name, response, None, lambda: drafts.reorder(actor.name, seen, new.order))

    @router.post("/draft/active", summary="One rule on or off", response_model=DraftView, responses=_CONFLICTS)
    def switch(
        new: ToSwitch, actor: Writer, response: Response, tag: _Header = None, revision: _Query = None
    ) -> object:
        seen = _revision(tag, revision)
        text = drafts.standing(actor.name).draft.files.get(new.file)
        if text is None:
            raise NoSuch(f"there is no file {new.file[:64]} in your draft")
        try:
            switched = with_key(text, "active", None if new.active else "false")
        except NotAFormError as wrong:
            raise Usage(f"{new.file}: {wrong}") from wrong
        return answers.changed(
            actor.name, response, None, lambda: drafts.write_file(actor.name, seen, new.file, switched)
        )

    @router.get("/draft/three-way", summary="What each side changed since the draft was begun")
    def both(actor: Reader) -> list[DraftFile]:
        return [DraftFile.of(one) for one in drafts.standing(actor.name).three_way]

    @router.post(
        "/draft/take-up",
        summary="Put my changes on what is in use now",
        response_model=DraftView,
        responses=_CONFLICTS,
    )
    def take_up(
        new: ToTakeUp, actor: Writer, response: Response, tag: _Header = None, revision: _Query = None
    ) -> object:
        seen = _revision(tag, revision)
        return answers.changed(actor.name, response, None, lambda: drafts.take_up(actor.name, seen, new.take_theirs))

    @router.delete("/draft", status_code=204, summary="Throw my draft away")
    def discard(actor: Writer, tag: _Header = None, revision: _Query = None) -> None:
        drafts.discard(actor.name, _revision(tag, revision))


def _add_use(router: APIRouter, drafts: Drafts, background: Background) -> None:
    @router.post("/draft/simulate", status_code=202, summary="Begin to try my draft on the series that came")
    def simulate(new: ToSimulate, actor: Writer) -> Tried:
        files = drafts.standing(actor.name).draft.files
        demand_sight(actor, files, drafts.versions)
        return Tried.model_validate(vars(background.start(files, actor.name, new.days, None)))

    @router.post(
        "/draft/publish",
        status_code=201,
        summary="Put my draft into use, as it was simulated; or propose it",
        response_model=Published | Proposed,
        responses={
            202: {"model": Proposed, "description": "Proposed: it waits for another person"},
            409: {"description": "Somebody published since it was begun, or it is not what was simulated"},
        },
    )
    def publish(
        new: ToPublishDraft, actor: Writer, response: Response, tag: _Header = None, revision: _Query = None
    ) -> object:
        seen = _revision(tag, revision)
        try:
            return done_or_proposed(drafts.publish(actor.name, seen, new.reason, new.digest), response)
        except Overtaken as late:
            return _late(drafts, actor.name, str(late), None, status=409)


def _revision(tag: str | None, revision: int | None) -> int:
    """The revision that was seen. Raises Usage when nobody says."""
    text = (tag or "").removeprefix("W/").strip('"')
    if text.isdecimal() and len(text) < 10:
        return int(text)
    if revision is None:
        raise Usage('If-Match: say which revision of your draft you saw, like If-Match: "5"; 0 for none yet')
    return revision


def _late(drafts: Drafts, author: str, detail: str, mine: Mapping[str, str] | None, status: int = 412) -> JSONResponse:
    """What was sent, beside what is stored and what both began with."""
    standing = drafts.standing(author)
    stored = standing.draft.files
    if mine is None or status == 409:
        both = standing.three_way
    else:
        both = three_way(
            {name: text for name, text in standing.base.items() if name in mine},
            {name: text for name, text in stored.items() if name in mine},
            mine,
        )
    problem = {
        "title": "Somebody else was quicker",
        "status": status,
        "detail": detail,
        "revision": standing.draft.revision,
        "three_way": [DraftFile.of(one).model_dump() for one in both],
    }
    return JSONResponse(
        problem, status, {"ETag": f'"{standing.draft.revision}"'}, media_type="application/problem+json"
    )
