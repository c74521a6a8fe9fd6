"""`mricore-node models build`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.triton import read_model
from node.cli.models.arguments import EXISTING_FOLDER
from node.mricore import plan


@click.command()
@click.argument("folder", type=EXISTING_FOLDER)
@click.option("--trtexec", default="trtexec", show_default=True, help="TensorRT's builder.")
@click.option("--usual", type=(int, int), default=(256, 256), show_default=True, help="Rows and columns to be best at.")
@click.option("--largest", type=click.IntRange(32), default=1024, show_default=True, help="Rows and columns at most.")
def build(folder: Path, trtexec: str, usual: tuple[int, int], largest: int) -> None:
    """Build the TensorRT plan of the model in FOLDER, in the container and on the GPU that will serve it."""
    model = read_model(folder)
    click.echo(f"{folder}: plan built, {plan.build(model, trtexec, usual, largest, click.echo)}")
