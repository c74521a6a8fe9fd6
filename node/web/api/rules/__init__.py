"""/api/v1/rules: what is in use, versions, checks, trials, a shadow, and why. A thin shell over pipeline.rule_sets."""

from __future__ import annotations

from fastapi import APIRouter

from node.pipeline.rule_sets.background import Background
from node.pipeline.rule_sets.versions import Versions
from node.web.api.rules.publish import add_publishing
from node.web.api.rules.trials import add_trials
from node.web.api.rules.versions import add_versions


def rules_router(versions: Versions, background: Background) -> APIRouter:
    """Everything below /api/v1/rules."""
    router = APIRouter(prefix="/rules", tags=["rules"])
    add_versions(router, versions)
    add_publishing(router, versions)
    add_trials(router, versions, background)
    return router
