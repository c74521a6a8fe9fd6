"""`mricore-node destinations test`, `pause` and `resume`."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from node.cli import config_option, json_option
from node.cli.destinations.opening import opened
from node.cli.lines import tell
from node.cli.tables import show_json


@click.command("test")
@click.argument("name")
@config_option
@json_option
def test_destination(name: str, config: Path | None, as_json: bool) -> None:
    """Test NAME, step by step: its name, its port, its certificate, what it takes, and a synthetic report that is
    stored, found, read back, and removed if that is allowed.

    What was seen is kept and shown by `destinations list`. Exit status 1 when it does not work.
    """
    with opened(config) as destinations:
        for seen in destinations.test(name):
            if not as_json:
                tell(seen)
        card = destinations.standing(name).card
    if as_json:
        show_json(card)
    if not card.get("works"):
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("name")
@config_option
def pause(name: str, config: Path | None) -> None:
    """Send no more to NAME: what is for it waits."""
    with opened(config) as destinations:
        changed = destinations.pause(name, getpass.getuser())
    click.echo(f"{name} is paused" if changed else f"{name} was paused already")


@click.command()
@click.argument("name")
@config_option
def resume(name: str, config: Path | None) -> None:
    """End a pause of NAME: what waited is due at once."""
    with opened(config) as destinations:
        changed = destinations.resume(name, getpass.getuser())
    click.echo(f"{name} goes on" if changed else f"{name} was not paused")
