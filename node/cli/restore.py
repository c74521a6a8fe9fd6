"""`mricore-node restore`."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from node.adapters.database import Database
from node.app.clock import utc_now
from node.cli import config_option
from node.config import load
from node.errors import Usage
from node.pipeline.backup import Target
from node.pipeline.backup import restore as read


@click.command()
@config_option
@click.argument("place", type=click.Path(path_type=Path, exists=True))
@click.option("--backup", "name", default="", help="Which of the backups in the folder. Default: the newest.")
def restore(config: Path | None, place: Path, name: str) -> None:
    """Read a backup that `mricore-node backup` made into an empty node that does not run.

    The settings of this node say where to: its database and data folder must hold nothing that was received. Every
    file is compared with its SHA-256, the ledger's chains are followed to the line at which the backup ends. The index
    of DICOMweb is made again when the node starts.

    What came after the backup was made is not in it. Where the old disk can be read, send its instances to the
    restored node: what it has already is stored once.

    \b
    mricore-node send /old/instances --to MRICORE@localhost:11112
    """
    settings = load(config)
    database = Database(settings.database_url)
    try:
        with _unpacked(place, settings.node.data_dir) as folder:
            target = Target(
                database,
                settings.instances,
                settings.results,
                settings.bucket,
                settings.rules.directory,
                settings.triton.models,
            )
            done = read(target, folder, utc_now(), name, click.echo)
    finally:
        database.close()
    manifest = done.manifest
    click.echo(f"restored {manifest.name}, made at {manifest.made_at} by release {manifest.release}")
    click.echo("now: mricore-node check --ledger, then serve")
    for path in done.kept_models:
        click.echo(f"{settings.triton.models / path}: stays as it is, the backup had another", err=True)
    if done.missing:
        click.echo(f"not in the backup: {len(done.missing)} files, e.g. {done.missing[0]}", err=True)
        raise click.exceptions.Exit(1)


@contextmanager
def _unpacked(place: Path, data_dir: Path) -> Iterator[Path]:
    """A folder of backups; that of a single file stands beside the node's data until it was read."""
    if place.is_dir():
        yield place
        return
    data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=".restore-") as name:
        try:
            with tarfile.open(place) as packed:
                packed.extractall(name, filter="data")
        except (tarfile.TarError, EOFError, OSError) as broken:
            raise Usage(f"{place}: cannot be unpacked: {broken}") from broken
        yield Path(name)
