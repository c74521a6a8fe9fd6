"""`mricore-node destinations`: one file per group of commands."""

from __future__ import annotations

import click

from node.cli.destinations.examining import pause, resume, test_destination
from node.cli.destinations.groups import groups
from node.cli.destinations.listing import list_destinations, show_destination
from node.cli.places import keeping_commands
from node.core.places import Family


@click.group()
def destinations() -> None:
    """Where results go, what waits for them, and what they are able to.

    Those of node.toml are changed there. Others are added and changed while the node runs: it takes them up within
    seconds, in every process.

    \b
    What can be said of one:   mricore-node destinations keys dicom
    Add a PACS:                mricore-node destinations add PACS2 --kind dicom \\
                                 --set ae_title=PACS2 --set host=10.0.0.20 --set port=104
    Does it work?              mricore-node destinations test PACS2
    Another stands in for it:  mricore-node destinations groups add any-pacs --set members=PACS2,archive
    """


for _command in (
    list_destinations, show_destination, test_destination, pause, resume, groups, *keeping_commands(Family.DESTINATION)
):  # fmt: skip
    destinations.add_command(_command)
