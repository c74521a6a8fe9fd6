"""/api/v1/check: what `mricore-node check` looks at, line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import APIRouter
from starlette.responses import Response

from node.pipeline.checking import Part, look_at
from node.web.api.destinations import Step
from node.web.api.places import Operating
from node.web.streams import LINES, line_by_line


def check_router(parts: Callable[[bool], Sequence[Part]]) -> APIRouter:
    """`parts`: what there is to look at; told whether the whole ledger is."""
    router = APIRouter(prefix="/check", tags=["check"])

    @router.post(
        "",
        summary="Look at everything this node needs: each line comes when it was seen, with its cure",
        response_class=Response,
        responses={200: {"content": {LINES: {"schema": Step.model_json_schema()}}}},
    )
    def check(_actor: Operating, ledger: bool = False) -> Response:
        return line_by_line(look_at(parts(ledger)))

    return router
