"""`mricore-node destinations groups`: destinations that stand in for one another."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli import config_option, json_option
from node.cli.destinations.opening import opened
from node.cli.places import keeping_commands
from node.cli.tables import show, show_json
from node.core.places import Family


@click.group()
def groups() -> None:
    """Groups of destinations. Rules name a group like a destination: its members are tried in their order, and the
    first that takes a result has it.

    Those of node.toml are changed there. Others are added and changed while the node runs: it takes them up within
    seconds, in every process.

    \b
    Add one:          mricore-node destinations groups add any-pacs --set members=PACS2,archive
    Another order:    mricore-node destinations groups edit any-pacs --set members=archive,PACS2
    """


@groups.command("list")
@config_option
@json_option
def list_groups(config: Path | None, as_json: bool) -> None:
    """List groups: their members in their order, and what waits for them."""
    with opened(config) as destinations:
        found = destinations.groups_now(destinations.standings())
    if as_json:
        show_json(
            [
                {
                    **vars(one.place),
                    "members": [name for name, _ in one.members],
                    "queued": one.queued,
                    "oldest": one.oldest,
                }
                for one in found
            ]
        )
        return
    show(
        ("group", "from", "members", "queued", ""),
        [
            (one.place.name, one.place.origin, ", ".join(name for name, _ in one.members), one.queued, one.place.fault)
            for one in found
        ],
    )


for _command in keeping_commands(Family.GROUP):
    groups.add_command(_command)
