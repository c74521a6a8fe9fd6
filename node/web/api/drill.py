"""/api/v1/drill: exercises, a drill line by line, and the sheet of the last one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from node.core.access import Actor, Right
from node.core.drill import EXERCISES
from node.web.access import may
from node.web.api.places import Reading
from node.web.streams import LINES, line_by_line


class Drills(Protocol):
    """What runs drills."""

    def lines(self, names: Sequence[str]) -> Iterator[dict[str, Any]]: ...

    def last(self) -> bytes: ...

    def last_lines(self) -> dict[str, Any] | None: ...


class Exercised(BaseModel):
    """One fault."""

    name: str
    title: str
    done: str
    expected: str


class Wanted(BaseModel):
    """Which exercises."""

    names: list[str] = Field([], description="None: all of them")


def drill_router(drills: Drills) -> APIRouter:
    """Everything below /api/v1/drill."""
    router = APIRouter(prefix="/drill", tags=["check"])

    @router.get("", summary="The exercises")
    def exercises(_actor: Reading) -> list[Exercised]:
        return [Exercised.model_validate(vars(one)) for one in EXERCISES]

    @router.post(
        "",
        summary="Drill a second node, with phantom data: what happens comes as lines, minutes long",
        response_class=Response,
        responses={200: {"content": {LINES: {}}}},
    )
    def drill(_actor: Annotated[Actor, Depends(may(Right.ADMINISTER))], wanted: Wanted | None = None) -> Response:
        return line_by_line(drills.lines(wanted.names if wanted else []))

    @router.get("/last", summary="The outcomes of the last drill on this machine")
    def last(_actor: Reading) -> dict[str, Any]:
        return drills.last_lines() or {"at": None, "outcomes": []}

    @router.get(
        "/sheet",
        summary="The pass sheet of the last drill on this machine",
        response_class=Response,
        responses={200: {"content": {"application/pdf": {}}}},
    )
    def sheet(_actor: Reading) -> Response:
        headers = {"Content-Disposition": 'inline; filename="mricore-drill.pdf"', "Cache-Control": "no-store"}
        return Response(drills.last(), media_type="application/pdf", headers=headers)

    return router
