"""`mricore-node support`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from node.cli import config_option


@click.command()
@config_option
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write. Default: support-DATE.zip, here."
)
@click.option(
    "--log",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The service's log, e.g. of `journalctl -u mricore-node -n 5000 > node.log`.",
)
def support(config: Path | None, out: Path | None, log: Path | None) -> None:
    """Pack what a stranger needs to help: versions, settings, check, logs, metrics, jobs, technical header attributes.

    Nothing of a patient's, no pixels, no secrets: docs/support.md lists what is in it. Look at it before you send it:
    it is a ZIP file of texts.
    """
    from node.adapters.database import Database
    from node.app.clock import utc_now
    from node.app.places import Places
    from node.app.support import build_bundle
    from node.config import load
    from node.errors import NodeError, Usage

    settings = load(config)
    database = Database(settings.database_url)
    try:
        with suppress(NodeError):  # the bundle tells
            database.migrate()
        content = build_bundle(Places(settings, database), database, utc_now, starts=True, log=log)
    finally:
        database.close()
    path = out or Path(f"support-{utc_now():%Y%m%d-%H%M%S}.zip")
    try:
        path.touch(mode=0o600)
        path.write_bytes(content)
    except OSError as refused:
        raise Usage(f"--out: {path} cannot be written ({refused.strerror})") from refused
    click.echo(f"{path} ({len(content) / 1000:.0f} kB)")
