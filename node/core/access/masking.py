"""What is shown in the place of what names a patient, to who may not see it."""

from __future__ import annotations

from node.core.access.roles import Actor

HIDDEN = "•••"


def shown(actor: Actor, text: str) -> str:
    """A patient's name, ID, birth date or the like as this actor may see it; empty stays empty."""
    return text if actor.sees_patients or not text else HIDDEN
