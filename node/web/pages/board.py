"""The board: how everything stands, live."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, StreamingResponse

from node.core.access import Actor, Right
from node.core.board import Standing
from node.pipeline.board import Board
from node.pipeline.board.board import every
from node.pipeline.board.items import Item, Snapshot
from node.web.access import may
from node.web.pages.pages import Pages

Reading = Annotated[Actor, Depends(may(Right.READ))]
LOOKS = {Standing.OK: "good", Standing.ATTENTION: "hold", Standing.ACT: "bad"}


def board_pages(pages: Pages, board: Board) -> APIRouter:
    """/admin/board."""
    router = APIRouter(include_in_schema=False)

    @router.get("/board")
    def shown(request: Request, _actor: Reading) -> HTMLResponse:
        return pages.page(request, "board/board.html", "board", **_shown(board.snapshot()))

    @router.get("/board/events")
    async def events(request: Request, _actor: Reading) -> StreamingResponse:
        def render() -> str:
            return pages.render(request, "board/parts.html", **_shown(board.snapshot()))

        return pages.live.stream(request, render)

    return router


def _shown(snapshot: Snapshot) -> dict[str, Any]:
    return {"board": snapshot, "needs": _needs(snapshot), "looks": LOOKS}


def _needs(snapshot: Snapshot) -> list[tuple[str, Item, str]]:
    """(kind, item, where to look) of what needs somebody, what needs it now first."""
    order = [Standing.ACT, Standing.ATTENTION]
    kinds = (
        ("source", snapshot.sources), ("destination", snapshot.destinations), ("triton", snapshot.triton),
        ("model", snapshot.models), ("certificate", snapshot.certificates), ("process", snapshot.processes),
    )  # fmt: skip
    several = {id(one): kind for kind, items in kinds for one in items}
    wanting = sorted(
        (one for one in every(snapshot) if one.standing in order), key=lambda one: order.index(one.standing)
    )
    told = [(several.get(id(one), "node"), one) for one in wanting]
    return [(kind, one, _address(kind, one.name)) for kind, one in told]


def _address(kind: str, name: str) -> str:
    """The page where something can be done about it; "" where there is none."""
    if kind == "model":
        return f"/admin/models/{quote(name)}"
    if kind in ("source", "destination"):
        return "/admin/places"
    return "/admin/inbox" if name in ("balance", "jobs") else ""
