"""`python -m node.mricore.training`: label, train, export. About twenty minutes on two cores."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from node.mricore.config import HEAD
from node.mricore.network import Network
from node.mricore.segmenter import Segmenter
from node.mricore.training.loop import Plan, train
from node.mricore.training.sources import SOURCES, labelled, phantoms, split

ROOT = Path(__file__).parents[3]


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=ROOT.parent / "shared" / "data" / "mr", help="Series.")
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / "var" / "training", help="Checkpoints.")
@click.option("--steps", default=Plan.steps, show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(data: Path, work: Path, steps: int, threads: int) -> None:
    """Train the demonstration model mri_core_head; an interrupted run goes on where it stopped."""
    torch.set_num_threads(threads)
    segmenter = Segmenter(Network(HEAD))
    click.echo(f"{sum(weights.numel() for weights in segmenter.parameters()):,} parameters")
    sources = [split(labelled(source, data, HEAD.image_size), source.every)[0] for source in SOURCES]
    sources.append(phantoms(HEAD.image_size))
    for source in sources:
        click.echo(f"{source.name}: {len(source.image)} slices, {source.truth.mean((0, 2, 3)).tolist()} marked")
    train(segmenter, sources, Plan(steps=steps), work, click.echo)


if __name__ == "__main__":
    main()
