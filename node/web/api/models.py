"""/api/v1/models: what each model is for and must not be used for, and how it does here.

A model is paused and resumed at /api/v1/jobs/pause and /resume.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from node.core.access import Actor, Right
from node.pipeline.cards import Look, ModelPage, Summary
from node.web.access import may

Reading = Annotated[Actor, Depends(may(Right.READ))]
_Name = Annotated[str, Path(max_length=128)]


def models_router(look: Look) -> APIRouter:
    """A thin shell over pipeline.cards."""
    router = APIRouter(prefix="/models", tags=["models"])

    @router.get("", summary="Every model, how it stands and which rules ask for it")
    def listed(_actor: Reading) -> list[Summary]:
        return list(look.every())

    @router.get("/{name}", summary="One model: its card, its canary, its jobs of late, how unlike the usual they were")
    def shown(name: _Name, _actor: Reading) -> ModelPage:
        return look.one(name)

    return router
