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
    from node.app import Node, Role
    from node.config import load

    node = Node(load(config), role=Role(role))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        node.start()
        settings = node.settings
        dicom = f"DICOM {settings.dicom.host}:{node.dicom_port}, " if node.role.receives else ""
        click.echo(
            f"{settings.node.ae_title} ({role}) listens: {dicom}"
            f"http://{settings.http.host}:{node.http_port}; data in {settings.node.data_dir}"
        )
        stop.wait()
    finally:
        node.stop()
