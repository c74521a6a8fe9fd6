"""`mricore-node models`."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from node.adapters.triton import Model, read_model, read_repository
from node.cli import config_option, json_option
from node.cli.tables import show, show_json
from node.config import load
from node.errors import BadConfiguration
from node.mricore import plan, served

_EXISTING_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_EXISTING_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.group()
def models() -> None:
    """The models of the repository (triton.models), and the way of a checkpoint into it."""


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
@click.argument("folder", type=_EXISTING_FOLDER, required=False)
@config_option
def verify(folder: Path | None, config: Path | None) -> None:
    """Check that cards, configurations, weights, plans and canaries agree, without a server.

    FOLDER is one model's folder; without it, every model of the repository. Exit status 1: the weights give other
    labels than the canary's. `check` asks the canaries of the server itself.
    """
    found = [read_model(folder)] if folder else read_repository(load(config).triton.models)
    for model in found:
        click.echo(_verified(model))


def _verified(model: Model) -> str:
    plan_says = served.check_plan(model)
    served.check_canary(model)
    said = f"{model.card.name} {model.card.version}: card, both configurations, weights and canary agree"
    return said + (f"; plan: {plan_says}" if plan_says else "")


@models.command()
@click.argument("checkpoint", type=_EXISTING_FILE)
@json_option
def inspect(checkpoint: Path, as_json: bool) -> None:
    """Say what a checkpoint is: kind, size, classes, adapters, what of it is used. Nothing in it is run."""
    seen = asdict(_with_torch("inspection").inspect(checkpoint))
    if as_json:
        show_json(seen)
        return
    seen["dropped"] = ", ".join(f"{part} ({count})" for part, count in seen["dropped"].items()) or "nothing"
    seen["normalize"] = "not in the file: ask who trained it"
    show(("", ""), [(key.replace("_", " "), "-" if value is None else value) for key, value in seen.items()])


@models.command()
@click.argument("checkpoint", type=_EXISTING_FILE)
@click.option("--card", type=_EXISTING_FILE, required=True, help="Draft of card.yaml; hashes are filled in.")
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
    made = _with_torch("model_folder")
    draft = made.read_draft(card, folder.resolve().name)
    made.publish(checkpoint, draft, folder.resolve(), click.echo, tolerance=tolerance)
    click.echo(f"{folder}: ready to be served. Name it in a rule; see docs/howto-fine-tuned-head.md")


@models.command()
@click.argument("folder", type=_EXISTING_FOLDER)
@click.option("--trtexec", default="trtexec", show_default=True, help="TensorRT's builder.")
@click.option("--usual", type=(int, int), default=(256, 256), show_default=True, help="Rows and columns to be best at.")
@click.option("--largest", type=click.IntRange(32), default=1024, show_default=True, help="Rows and columns at most.")
def build(folder: Path, trtexec: str, usual: tuple[int, int], largest: int) -> None:
    """Build the TensorRT plan of the model in FOLDER, in the container and on the GPU that will serve it."""
    model = read_model(folder)
    click.echo(f"{folder}: plan built, {plan.build(model, trtexec, usual, largest, click.echo)}")


def _with_torch(module: str) -> Any:
    """A module of node.mricore that needs torch; without torch, what to install."""
    try:
        return importlib.import_module(f"node.mricore.{module}")
    except ModuleNotFoundError as absent:
        if (absent.name or "").startswith("node"):
            raise
        what = f"needs {absent.name}, which is not installed"
        raise BadConfiguration("this command", what, "pip install 'mricore-node[models]'") from absent
