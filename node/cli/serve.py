"""`mricore-node serve`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from node.cli import config_option


@click.command()
@config_option
@click.option(
    "--role",
    type=click.Choice(["all"]),
    default="all",
    show_default=True,
    help="What this process does. One process does all of it for now.",
)
def serve(config: Path | None, role: str) -> None:
    """Run the node until it is told to stop (SIGTERM or Ctrl-C).

    Stopping refuses new associations and lets running work finish for node.stop_seconds; what is cut off is taken
    up at the next start.
    """
    from node.app import Node
    from node.config import load

    node = Node(load(config))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        node.start()
        settings = node.settings
        click.echo(
            f"{settings.node.ae_title} ({role}) listens: DICOM {settings.dicom.host}:{node.dicom_port}, "
            f"http://{settings.http.host}:{node.http_port}; data in {settings.node.data_dir}"
        )
        stop.wait()
    finally:
        node.stop()
