"""`mricore-node serve`."""

from __future__ import annotations

import gc
import signal
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.adapters.alone import alone
from node.adapters.database.access.accounts import exists_any
from node.cli import config_option

if TYPE_CHECKING:
    from node.app.node import Node
    from node.config import Settings


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

    with _alone(settings):
        _run(Node(settings, role=Role(role)))


def _alone(settings: Settings) -> AbstractContextManager[None]:
    """A second process on one SQLite file would take itself for the first one, its ledger and its jobs for its own."""
    if not settings.database_url.startswith("sqlite") or settings.jobs.process:
        return nullcontext()
    cure = "Stop it first, or name another folder; several processes share a PostgreSQL (docs/scale-out.md)"
    return alone(settings.node.data_dir / ".serving", f"node.data_dir: {settings.node.data_dir}", cure)


def _run(node: Node) -> None:
    # Looked at again and again: a signal that another thread is given does not end the main thread's waiting.
    told_to_stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda told, _: told_to_stop.append(told))
    try:
        node.start()
        settings = node.settings
        dicom = f"DICOM {settings.dicom.host}:{node.dicom_port}, " if node.role.receives else ""
        click.echo(
            f"{settings.node.ae_title} ({node.role.value}) listens: {dicom}"
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
