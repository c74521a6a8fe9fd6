"""`mricore-node serve`."""

from __future__ import annotations

import gc
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.adapters.database.access.accounts import exists_any
from node.cli import config_option

if TYPE_CHECKING:
    from node.app.node import Node


_LOOKS_EVERY_S = 0.5


@click.command()
@config_option
@click.option(
    "--role",
    type=click.Choice(["all", "receive", "work", "web"]),
    default="all",
    show_default=True,
    help="What this process does, where several share one PostgreSQL and one store (docs/scale-out.md).",
)
def serve(config: Path | None, role: str) -> None:
    """Run the node until it is told to stop (SIGTERM or Ctrl-C).

    Stopping refuses new associations and lets running work finish for node.stop_seconds; what is cut off is taken
    up at the next start, or by another process.

    \b
    receive   DICOM listener, STOW-RS, feeds, MPPS, storage commitment
    work      rules, completion, inference, delivery
    web       pages, REST, DICOMweb
    """
    from node.config import load

    settings = load(config)  # what is wrong with it is said before a whole node is imported
    from node.app.node import Node
    from node.app.roles import Role

    node = Node(settings, role=Role(role))
    # Looked at again and again: a signal that another thread is given does not end the main thread's waiting.
    told_to_stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda told, _: told_to_stop.append(told))
    try:
        node.start()
        settings = node.settings
        dicom = f"DICOM {settings.dicom.host}:{node.dicom_port}, " if node.role.receives else ""
        click.echo(
            f"{settings.node.ae_title} ({role}) listens: {dicom}"
            f"http://{settings.http.host}:{node.http_port}; data in {settings.node.data_dir}"
        )
        _tell_of_first_start(node)
        # The listener collects every few seconds, and while it looks through all that the libraries hold nobody else
        # runs: a quarter of a second each time. What is there now stays.
        gc.collect()
        gc.freeze()
        while not told_to_stop:
            time.sleep(_LOOKS_EVERY_S)
    finally:
        node.stop()


def _tell_of_first_start(node: Node) -> None:
    """Where nobody could sign in: a code for who sits at this terminal, and never for a file that keeps what we say."""
    doors, settings = node.doors, node.settings
    if not node.role.shows or doors.local or doors.oidc or exists_any(node.database):
        return
    if sys.stdout.isatty():
        reached = settings.http.public_url or f"https://{settings.http.host}:{node.http_port}"
        click.echo(f"There is no user yet. Within an hour, open {reached}/admin/first-start with this code:")
        click.echo(f"    {doors.signing_in.first_code()}")
    else:
        click.echo("There is no user yet: `mricore-node user add NAME --role admin`, or `mricore-node user first-code`")
