"""`mricore-node backup`."""

from __future__ import annotations

import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import click
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from node.adapters.database import Database
from node.app.clock import utc_now
from node.cli import config_option
from node.config import Settings, load
from node.errors import Usage
from node.pipeline.backup import Made, Origin, make, prune

_TAR = (".tar", ".tar.gz", ".tgz")


@click.command()
@config_option
@click.argument("place", type=click.Path(path_type=Path))
@click.option("--keep", type=click.IntRange(1), help="Afterwards remove all but so many backups in the folder.")
@click.option("--link", is_flag=True, help="Link files on the same disk instead of copying them: no help when it dies.")
def backup(config: Path | None, place: Path, keep: int | None, link: bool) -> None:
    """Back up a node, running or not, into the folder or file PLACE.

    A folder keeps any number of backups and each stored file once: a second one takes what is new. PLACE.tar, .tar.gz
    or .tgz is a single file with one backup. In it are the database, received instances, results, rules, models, and
    the settings without secrets. It holds patient data: keep it as safe as the node.

    What had been acknowledged before the backup began is in it. Instances in a bucket stay there.

    \b
    mricore-node backup /mnt/backup/node --keep 14
    mricore-node restore /mnt/backup/node --config new-node.toml

    Exit status 1 when a stored file that the database counts on was missing or damaged; all else was backed up.
    """
    settings = load(config)
    if place.name.endswith(_TAR):
        if keep:
            raise Usage("--keep is for a folder")
        made = _into_file(settings, place)
    else:
        made = _into(settings, place, link=link)
        if keep:
            backups, files = prune(place, keep)
            click.echo(f"removed {backups} older backups and {files} files that only they named")
    click.echo(f"backup {made.name} in {place}")
    if made.gone:
        click.echo(f"{len(made.gone)} files were removed by retention meanwhile")
    if made.missing:
        click.echo(f"missing or damaged in the store: {len(made.missing)} files, e.g. {made.missing[0]}", err=True)
        raise click.exceptions.Exit(1)


def _into(settings: Settings, folder: Path, *, link: bool) -> Made:
    database = Database(settings.database_url)
    try:
        origin = Origin(
            database,
            settings.instances,
            settings.results,
            settings.bucket,
            settings.rules.directory,
            settings.triton.models,
            told(settings),
        )
        return make(origin, folder, utc_now(), link=link, said=click.echo)
    finally:
        database.close()


def _into_file(settings: Settings, file: Path) -> Made:
    """By way of a folder beside it, whose files are links where they can be."""
    if file.exists():
        raise Usage(f"{file}: is there already")
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}-") as name:
            made = _into(settings, Path(name) / "backup", link=True)
            unnamed = Path(name) / "whole"
            with tarfile.open(unnamed, "w" if file.suffix == ".tar" else "w:gz") as packed:
                packed.add(Path(name) / "backup", arcname=".")
            unnamed.chmod(0o600)
            unnamed.replace(file)
    except OSError as refused:
        raise Usage(f"{file}: cannot be written ({refused.strerror})") from refused
    return made


def told(settings: Settings) -> Any:
    """Settings as JSON, without what is nobody's business."""
    values = json.loads(settings.model_dump_json())
    try:
        if settings.database.url:
            values["database"]["url"] = make_url(settings.database.url).render_as_string(hide_password=True)
    except ArgumentError:
        values["database"]["url"] = ""
    return values
