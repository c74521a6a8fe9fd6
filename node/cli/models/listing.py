"""`mricore-node models list`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.triton import read_repository
from node.cli import config_option, json_option
from node.cli.tables import show, show_json
from node.config import load


@click.command("list")
@config_option
@json_option
def listing(config: Path | None, as_json: bool) -> None:
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
