"""`mricore-node models export`."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli.models.arguments import EXISTING_FILE, with_torch
from node.errors import BadConfiguration


@click.command()
@click.argument("checkpoint", type=EXISTING_FILE)
@click.option("--card", type=EXISTING_FILE, required=True, help="Draft of card.yaml; hashes are filled in.")
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="triton_models/NAME")
@click.option("--probe", type=EXISTING_FILE, help="A classification's linear probe (docs/models.md).")
@click.option("--sam", type=EXISTING_FILE, help="Meta's SAM ViT-B, where the card takes a part of it.")
@click.option("--share", is_flag=True, help="The encoder as a model of its own, for all heads that have the same one.")
@click.option("--replace", is_flag=True, help="Replace a model folder that is there already.")
@click.option("--tolerance", default=1e-3, show_default=True, help="Relative error of the logits that passes.")
def export(
    checkpoint: Path,
    card: Path,
    folder: Path,
    probe: Path | None,
    sam: Path | None,
    share: bool,
    replace: bool,
    tolerance: float,
) -> None:
    """Make a served model of CHECKPOINT: ONNX, both Triton configurations, canary, card.

    Native slices in; native labels, coded answers or a vector out, as the card's kind says; everything between is
    inside the graph. ONNX Runtime is compared with torch, and exit status 1 says that they differ.
    """
    if folder.exists() and not replace:
        raise BadConfiguration(str(folder), "is there already", "Choose another name, or --replace it")
    drafts, made = with_torch("draft"), with_torch("model_folder")
    draft = drafts.read_draft(card, folder.resolve().name)
    publishing = made.Publishing(made.sources_of(checkpoint, sam, click.echo), click.echo, tolerance)
    publish = with_torch("sharing").publish_shared if share else made.publish
    publish(publishing, draft, folder.resolve(), probe)
    click.echo(f"{folder}: ready to be served. Name it in a rule; see docs/howto-fine-tuned-head.md")
