"""Who changes the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends

from node.core.access import LOCAL, Actor, Right
from node.errors import Usage
from node.pipeline.rule_sets.drafts import Drafts
from node.web.access import may

Reader = Annotated[Actor, Depends(may(Right.READ))]
Writer = Annotated[Actor, Depends(may(Right.WRITE_RULES))]
Approver = Annotated[Actor, Depends(may(Right.APPROVE))]


def author_of(actor: Actor, typed: str | None) -> str:
    """Who is signed in. Where nobody has to be, people say who they are. Raises Usage when they do not."""
    if actor.name != LOCAL.name:
        return actor.name
    if typed is not None and not typed.strip():
        raise Usage("author: is missing: it is for the history")
    return typed or actor.name


def put_on_draft(drafts: Drafts, actor: Actor, files: Mapping[str, str], draft: bool) -> Mapping[str, str]:
    """The files alone, or in their places in the actor's draft."""
    return {**drafts.standing(actor.name).draft.files, **files} if draft else files
