"""`mricore-node models`: one file per command."""

from __future__ import annotations

import click

from node.cli.models.bench import bench
from node.cli.models.build import build
from node.cli.models.calibrate import calibrate
from node.cli.models.export import export
from node.cli.models.inspect import inspect
from node.cli.models.listing import listing
from node.cli.models.verify import verify


@click.group()
def models() -> None:
    """The models of the repository (triton.models), and the way of a checkpoint into it."""


for _command in (listing, verify, inspect, export, build, calibrate, bench):
    models.add_command(_command)
