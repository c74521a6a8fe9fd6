"""/api/v1/rules: what is in use, versions, checks, trials, a shadow, and why. A thin shell over pipeline.rule_sets."""

from __future__ import annotations

from fastapi import APIRouter

from node.pipeline.rule_sets.background import Background
from node.pipeline.rule_sets.drafts import Drafts
from node.pipeline.rule_sets.lately import Lately
from node.pipeline.rule_sets.suggesting import Suggesting
from node.pipeline.rule_sets.versions import Versions
from node.web.api.rules.drafts import add_drafts
from node.web.api.rules.files import add_files
from node.web.api.rules.publish import add_publishing
from node.web.api.rules.trials import add_trials
from node.web.api.rules.versions import add_versions
from node.web.api.rules.writing import add_writing


def rules_router(versions: Versions, background: Background, suggesting: Suggesting | None = None) -> APIRouter:
    """Everything below /api/v1/rules. `suggesting` knows what rules may name of this node."""
    suggesting = suggesting or Suggesting(versions.database, Lately(versions.database, versions.clock))
    drafts = Drafts(versions)
    router = APIRouter(prefix="/rules", tags=["rules"])
    add_versions(router, versions)
    add_publishing(router, versions)
    add_trials(router, versions, background)
    add_drafts(router, drafts, background)
    add_writing(router, drafts, suggesting)
    add_files(router, versions)
    return router
