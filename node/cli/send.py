"""`mricore-node send`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress

from node.cli.files import Found, find_some
from node.errors import AssociationRejected, DestinationUnavailable, Usage

if TYPE_CHECKING:
    from node.adapters.destinations.storescu import Answered, Peer

_PEER = re.compile(r"(?P<ae>(?! +@)[^@\\]{1,16})@(?P<host>[^:]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})", re.ASCII)
_PEM = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", "to", required=True, metavar="AE@HOST:PORT", help="Where to send, e.g. MRICORE@127.0.0.1:11112.")
@click.option("--from", "calling_ae", default="MRICORE_SEND", show_default=True, help="The calling AE title.")
@click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0, max=86400, min_open=True),
    help="Seconds to wait for each answer.",
)
@click.option("--tls", is_flag=True, help="Speak TLS (BCP 195). Any of the following three says so, too.")
@click.option("--tls-ca", type=_PEM, help="Authorities of the peer's certificate, PEM. Default: the system's.")
@click.option("--tls-certificate", type=_PEM, help="Ours, PEM with its chain, where the peer asks for one.")
@click.option("--tls-key", type=_PEM, help="Its key, PEM without a password.")
def send(
    paths: tuple[Path, ...],
    to: str,
    calling_ae: str,
    timeout: float,
    tls: bool,
    tls_ca: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
) -> None:
    """Send DICOM files or folders by C-STORE, byte for byte, with a progress bar.

    What is not DICOM, and what the peer refuses, is named at the end; everything else is still sent.

    \b
    mricore-node send SERIES --to MRICORE@10.0.0.5:11112
    mricore-node send SERIES --to MRICORE@node.hospital:2762 --tls-ca ca.pem \\
      --tls-certificate mr1.pem --tls-key mr1.key
    """
    from node.adapters.destinations.storescu import Peer
    from node.adapters.destinations.tls import client_context
    from node.config.sections import AE_TITLE
    from node.core.status import Meaning, meaning

    parts = _PEER.fullmatch(to)
    if parts is None or int(parts["port"]) > 65535:
        raise Usage(f"--to {to}: write AE@HOST:PORT, e.g. MRICORE@127.0.0.1:11112")
    if len(calling_ae) > 16 or not re.fullmatch(AE_TITLE, calling_ae):
        raise Usage(f"--from {calling_ae}: an AE title has 1 to 16 characters of ASCII, no backslash")
    if math.isnan(timeout):
        raise Usage("--timeout nan: is no number of seconds")
    if tls_key and not tls_certificate:
        raise Usage("--tls-key: is of a certificate. Give --tls-certificate, too")
    context = None
    if tls or tls_ca or tls_certificate or tls_key:
        context = client_context("--tls-ca, --tls-certificate, --tls-key", tls_ca, tls_certificate, tls_key)
    peer = Peer(parts["ae"], parts["host"].strip("[]"), int(parts["port"]), calling_ae, timeout, context)
    found = find_some(paths)
    refused = [f"{path}: {reason}" for path, reason in found.refused]
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"sending to {parts['ae']}", total=len(found.files))
        for answered in _answers(peer, found):
            progress.advance(bar)
            if answered.status is None or meaning(answered.status) is not Meaning.DELIVERED:
                status = "not sent" if answered.status is None else f"{answered.status:04X}"
                refused.append(f"{answered.path}: {status} {answered.comment}".rstrip())
    _report(found, refused)


def _answers(peer: Peer, found: Found) -> Iterator[Answered]:
    from node.adapters.destinations.reaching import Where, certificate
    from node.adapters.destinations.storescu import send as store

    try:
        yield from store(peer, found.files)
    except DestinationUnavailable as fault:
        if peer.tls and not isinstance(fault, AssociationRejected):
            try:
                certificate(Where(peer.host, peer.port, peer.tls), peer.timeout_seconds)
            except DestinationUnavailable as why:
                raise DestinationUnavailable(f"{fault}: {why}") from why
        raise


def _report(found: Found, refused: list[str]) -> None:
    sent = len(found.files) + len(found.refused) - len(refused)
    click.echo(f"{sent} instance{'s' if sent != 1 else ''} stored")
    for line in refused:
        click.echo(line, err=True)
    if refused:
        raise click.exceptions.Exit(1)
