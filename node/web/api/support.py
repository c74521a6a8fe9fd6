"""/api/v1/support: the support bundle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from node.core.access import Actor, Right
from node.web.access import may


def support_router(bundle: Callable[[], bytes]) -> APIRouter:
    """`bundle` makes a ZIP file."""
    router = APIRouter(prefix="/support", tags=["check"])

    @router.get(
        "",
        summary="What a stranger needs to help, without patients and secrets, as a ZIP file of texts",
        response_class=Response,
        responses={200: {"content": {"application/zip": {}}}},
    )
    def support(_actor: Annotated[Actor, Depends(may(Right.ADMINISTER))]) -> Response:
        headers = {"Content-Disposition": 'attachment; filename="mricore-support.zip"', "Cache-Control": "no-store"}
        return Response(bundle(), media_type="application/zip", headers=headers)

    return router
