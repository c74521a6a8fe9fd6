"""`mricore-node models list`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.triton import read_repository
from node.cli import config_option, json_option
from node.cli.tables import show, show_json
from node.config import load
from node.core.card import Card


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
        ("model", "version", "kind", "answers", "input", "intended use"),
        [
            (
                card.name,
                card.version,
                card.kind,
                _answers(card),
                f"{'/'.join(card.input.modality)} {'/'.join(card.input.orientation) or 'any plane'}",
                card.intended_use,
            )
            for card in cards
        ],
    )


def _answers(card: Card) -> str:
    """Segments, questions, or the encoder's vectors."""
    labels = [segment.label for segment in card.segments] or [question.name for question in card.questions]
    return ", ".join(labels) or "vectors"
