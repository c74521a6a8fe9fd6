"""`python -m node.mricore.training`: label, train, measure, publish. Twenty to thirty minutes on two cores."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from node.mricore.config import HEAD
from node.mricore.network import Network
from node.mricore.segmenter import Segmenter
from node.mricore.training.evaluate import HEADER, evaluate
from node.mricore.training.loop import Plan, train
from node.mricore.training.publish import publish
from node.mricore.training.sources import SOURCES, labelled, phantoms, split

ROOT = Path(__file__).parents[3]


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=ROOT.parent / "shared" / "data",
    help="Folder of the public series: mr/ and seg/ below it.",
)
@click.option(
    "--work", type=click.Path(path_type=Path), default=ROOT / "var" / "training", help="Where checkpoints are kept."
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    default=ROOT / "triton_models" / "mri_core_head",
    help="Model folder to publish to.",
)
@click.option("--threads", default=2, show_default=True)
def main(data: Path, work: Path, model: Path, threads: int) -> None:
    """Train and publish the demonstration model; an interrupted run goes on where it stopped."""
    torch.set_num_threads(threads)
    segmenter = Segmenter(Network(HEAD))
    click.echo(f"{sum(weights.numel() for weights in segmenter.parameters()):,} parameters")
    sources = [split(labelled(source, data / "mr", HEAD.image_size), source.every)[0] for source in SOURCES]
    sources.append(phantoms(HEAD.image_size))
    for source in sources:
        head, brain = source.truth.mean((0, 2, 3)).tolist()
        click.echo(f"{source.name}: {len(source.image)} slices, head {head:.0%}, brain {brain:.0%} of the pixels")
    train(segmenter, sources, Plan(), work, click.echo)
    figures = evaluate(segmenter, data)
    click.echo("\n".join([*HEADER, *(figure.line() for figure in figures)]))
    publish(segmenter, model, figures)
    click.echo(f"published to {model}")


if __name__ == "__main__":
    main()
