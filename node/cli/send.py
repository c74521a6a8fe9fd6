"""`mricore-node send`."""

from __future__ import annotations

import re
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from node.cli.files import Found, find
from node.errors import Usage

_PEER = re.compile(r"(?P<ae>[^@]{1,16})@(?P<host>[^:]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", "to", required=True, metavar="AE@HOST:PORT", help="Where to send, e.g. MRICORE@127.0.0.1:11112.")
@click.option("--from", "calling_ae", default="MRICORE_SEND", show_default=True, help="The calling AE title.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait for each answer.")
def send(paths: tuple[Path, ...], to: str, calling_ae: str, timeout: float) -> None:
    """Send DICOM files or folders by C-STORE, byte for byte, with a progress bar.

    What is not DICOM, and what the peer refuses, is named at the end; everything else is still sent.
    """
    from node.adapters.destinations.storescu import Peer
    from node.adapters.destinations.storescu import send as store
    from node.core.status import Meaning, meaning

    parts = _PEER.fullmatch(to)
    if parts is None or int(parts["port"]) > 65535:
        raise Usage(f"--to {to}: write AE@HOST:PORT, e.g. MRICORE@127.0.0.1:11112")
    peer = Peer(parts["ae"], parts["host"].strip("[]"), int(parts["port"]), calling_ae, timeout_seconds=timeout)
    found = find(paths)
    refused = [f"{path}: {reason}" for path, reason in found.refused]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(f"sending to {parts['ae']}", total=len(found.files))
        for answered in store(peer, found.files):
            progress.advance(bar)
            if answered.status is None or meaning(answered.status) is not Meaning.DELIVERED:
                status = "not sent" if answered.status is None else f"{answered.status:04X}"
                refused.append(f"{answered.path}: {status} {answered.comment}".rstrip())
    _report(found, refused)


def _report(found: Found, refused: list[str]) -> None:
    sent = len(found.files) + len(found.refused) - len(refused)
    click.echo(f"{sent} instance{'s' if sent != 1 else ''} stored")
    for line in refused:
        click.echo(line, err=True)
    if refused:
        raise click.exceptions.Exit(1)
