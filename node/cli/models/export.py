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
@click.option("--replace", is_flag=True, help="Replace a model folder that is there already.")
@click.option("--tolerance", default=1e-3, show_default=True, help="Relative error of the logits that passes.")
def export(checkpoint: Path, card: Path, folder: Path, replace: bool, tolerance: float) -> None:
    """Make a served model of CHECKPOINT: ONNX, both Triton configurations, canary, card.

    Native slices in, native labels out; everything between is inside the graph. ONNX Runtime is compared with torch,
    and exit status 1 says that they differ.
    """
    if folder.exists() and not replace:
        raise BadConfiguration(str(folder), "is there already", "Choose another name, or --replace it")
    made = with_torch("model_folder")
    draft = made.read_draft(card, folder.resolve().name)
    made.publish(checkpoint, draft, folder.resolve(), click.echo, tolerance=tolerance)
    click.echo(f"{folder}: ready to be served. Name it in a rule; see docs/howto-fine-tuned-head.md")
