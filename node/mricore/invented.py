"""`python -m node.mricore.invented FILE`: a fine-tuned state dict of invented weights, for trying the way of one.

It has the names and shapes of the authors' own, adapters included; its labels mean nothing.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import replace
from pathlib import Path

import click
import torch
from torch import Tensor

from node.mricore.config import MRI_CORE
from node.mricore.network import Network


def state(image_size: int, classes: int) -> dict[str, Tensor]:
    """The state dict; each tensor is seeded by its name and keeps the variance of what goes through it."""
    with torch.device("meta"):
        network = Network(replace(MRI_CORE, image_size=image_size, classes=classes))
    return {key: _drawn(key, tensor.shape) for key, tensor in network.state_dict().items()}


def _drawn(key: str, shape: torch.Size) -> Tensor:
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(key.encode())))
    if len(shape) == 1:
        return 0.1 * drawn + float(key.endswith("weight"))
    if "pos_embed" in key:
        return 0.1 * drawn
    if "token" in key or "embed.weight" in key or "gaussian" in key:
        return drawn
    fan = shape[0] if "output_upscaling" in key else math.prod(shape[1:])
    return drawn / math.sqrt(fan)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--image-size", default=256, show_default=True, type=click.IntRange(32, 1024))
@click.option("--classes", default=2, show_default=True, type=click.IntRange(1, 8))
def main(file: Path, image_size: int, classes: int) -> None:
    """Write the state dict to FILE."""
    torch.save(state(image_size - image_size % 16, classes), file)
    click.echo(f"{file}: invented weights, its labels mean nothing")


if __name__ == "__main__":
    main()
