"""`mricore-node sources`."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli import config_option, json_option
from node.cli.destinations.opening import opened
from node.cli.places import keeping_commands
from node.cli.tables import show, show_json
from node.core.places import Family


@click.group()
def sources() -> None:
    """Where instances come from: modalities that may send, Orthancs that are followed, folders that are watched.

    Those of node.toml are changed there. Who asked for an association and is none of them: `mricore-node senders`.
    """


@sources.command("list")
@config_option
@json_option
def list_sources(config: Path | None, as_json: bool) -> None:
    """List sources."""
    with opened(config) as destinations:
        found = destinations.places.listed(Family.SOURCE)
    if as_json:
        show_json(found)
        return
    show(
        ("source", "kind", "from", "", ""),
        [
            (
                one.name,
                one.kind,
                one.origin,
                one.keys.get("ae_title") or one.keys.get("url") or one.keys.get("path"),
                one.fault,
            )
            for one in found
        ],
    )


for _command in keeping_commands(Family.SOURCE):
    sources.add_command(_command)
