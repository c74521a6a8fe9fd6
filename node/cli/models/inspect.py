"""`mricore-node models inspect`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from node.cli import json_option
from node.cli.models.arguments import EXISTING_FILE, with_torch
from node.cli.tables import show, show_json


@click.command()
@click.argument("checkpoint", type=EXISTING_FILE)
@json_option
def inspect(checkpoint: Path, as_json: bool) -> None:
    """Say what a checkpoint is: kind, size, classes, adapters, what of it is used. Nothing in it is run."""
    seen = asdict(with_torch("inspection").inspect(checkpoint))
    if as_json:
        show_json(seen)
        return
    seen["dropped"] = ", ".join(f"{part} ({count})" for part, count in seen["dropped"].items()) or "nothing"
    seen["normalize"] = "not in the file: ask who trained it"
    show(("", ""), [(key.replace("_", " "), "-" if value is None else value) for key, value in seen.items()])
