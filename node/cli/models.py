"""`mricore-node models`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.triton import read_repository
from node.cli import config_option, json_option
from node.cli.tables import show, show_json
from node.config import load


@click.group()
def models() -> None:
    """The models of the repository (triton.models)."""


@models.command("list")
@config_option
@json_option
def list_models(config: Path | None, as_json: bool) -> None:
    """List the models with their intended use."""
    cards = [model.card for model in read_repository(load(config).triton.models)]
    if as_json:
        show_json(cards)
        return
    show(
        ("model", "version", "segments", "input", "intended use"),
        [
            (
                card.name,
                card.version,
                ", ".join(segment.label for segment in card.segments),
                f"{'/'.join(card.input.modality)} {'/'.join(card.input.orientation) or 'any plane'}",
                card.intended_use,
            )
            for card in cards
        ],
    )


@models.command()
@config_option
def verify(config: Path | None) -> None:
    """Check that cards, configurations and weights agree, without a server. `check` asks the canaries as well."""
    for model in read_repository(load(config).triton.models):
        click.echo(f"{model.card.name} {model.card.version}: card, both configurations, weights and canary agree")
