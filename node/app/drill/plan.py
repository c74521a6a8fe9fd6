"""What the drill's process is given: the model, its server and how the node works, as JSON."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from node import __version__
from node.adapters.triton import read_repository
from node.app.places import Places
from node.core.card import Kind
from node.core.drill import NAMES, About
from node.errors import BadConfiguration, Usage

QUIET_S = 3.0


@dataclass(frozen=True)
class Plan:
    """One drill."""

    names: tuple[str, ...]
    ae_title: str
    model: str
    models: str  # the folder
    triton_url: str
    triton_token: str
    deadline_seconds: float

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def make_plan(places: Places, names: Sequence[str]) -> Plan:
    """Raises Usage for an exercise that there is not; BadConfiguration where no model can be drilled."""
    if unknown := [name for name in names if name not in NAMES]:
        raise Usage(f"there is no exercise {unknown[0]}: known are {', '.join(NAMES)}")
    settings = places.settings()
    return Plan(
        tuple(name for name in NAMES if name in names) or NAMES,
        settings.node.ae_title,
        _model(settings.triton.models),
        str(settings.triton.models.resolve()),
        settings.triton.url,
        settings.triton.token.get_secret_value(),
        settings.triton.deadline_seconds,
    )


def about(plan: Plan, begun_at: datetime) -> About:
    """What stands on the sheet."""
    return About(
        plan.ae_title,
        __version__,
        begun_at,
        f"{platform.node()} ({platform.system()} {platform.release()})",
        plan.model,
        (
            "Drilled was a second node on this machine: the same program, settings of work and model, with a database,"
            " files, receivers and one rule of its own, which brings phantoms to the model.",
            f"A series counts as complete after {QUIET_S:g} s in the drill, whatever this node's settings say.",
        ),
    )


def _model(folder: Path) -> str:
    """The first that outlines something in one series."""
    for model in read_repository(folder):
        if model.card.kind is Kind.SEGMENTATION and not model.card.inputs:
            return model.card.name
    raise BadConfiguration(
        "triton.models", "holds no model that outlines something in one series", "Name another folder"
    )


def day(at: datetime) -> str:
    return f"{at:%Y%m%d-%H%M%S}"
