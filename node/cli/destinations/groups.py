"""`mricore-node destinations groups`: destinations that stand in for one another."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli import config_option, json_option
from node.cli.destinations.opening import opened
from node.cli.places import keeping_commands
from node.cli.tables import moment, show, show_json
from node.core.places import Family
from node.pipeline.destinations import FAULT, GroupStanding


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
        show_json([_line(one) for one in found])
        return
    show(
        ("group", "from", "members", "queued", ""),
        [
            (one.place.name, one.place.origin, ", ".join(name for name, _ in one.members), one.queued, one.place.fault)
            for one in found
        ],
    )


@groups.command("show")
@click.argument("name")
@config_option
@json_option
def show_group(name: str, config: Path | None, as_json: bool) -> None:
    """Show NAME: its members in the order in which they are tried, how each stands, what waits for any of them, and
    the rules in use that deliver to it.
    """
    with opened(config) as destinations:
        one = destinations.group_now(name)
    stand = [(name, there.state, there.told) if there else (name, FAULT, "is not there") for name, there in one.members]
    if as_json:
        members = [dict(zip(("name", "state", "told"), member, strict=True)) for member in stand]
        show_json({**_line(one), "members": members, "rules": one.rules})
        return
    about = {"group": name, "kind": one.place.kind, "origin": one.place.origin, "queued": one.queued}
    more = {"oldest": moment(one.oldest), "rules": ", ".join(one.rules), "fault": one.place.fault}
    show(("", ""), [*about.items(), *((key, value) for key, value in more.items() if value)])
    show(("", "member", ""), [(number, name, told) for number, (name, _, told) in enumerate(stand, 1)])


def _line(one: GroupStanding) -> dict[str, object]:
    members = [name for name, _ in one.members]
    return {**vars(one.place), "members": members, "queued": one.queued, "oldest": one.oldest}


for _command in keeping_commands(Family.GROUP):
    groups.add_command(_command)
