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
@click.option("--fp16", is_flag=True, help="Convolutions and products in half precision, all else in float32.")
@click.option("--largest", type=click.IntRange(32), default=1024, show_default=True, help="Rows and columns at most.")
def build(folder: Path, trtexec: str, usual: tuple[int, int], fp16: bool, largest: int) -> None:
    """Build the TensorRT plan of the model in FOLDER, in the container and on the GPU that will serve it.

    What trtexec measured is kept in timing.cache beside the plan, so that the next build is quicker. plan.json says
    what the plan was built from and on; `models verify` refuses one that does not fit.
    """
    model = read_model(folder)
    order = plan.Order(usual, largest, fp16)
    click.echo(f"{folder}: plan built, {plan.build(model, trtexec, order, click.echo)}")
