"""`mricore-node results`."""

from __future__ import annotations

from pathlib import Path

import click
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from node.adapters.database import Database
from node.adapters.database.series import instances
from node.adapters.headers import read_header
from node.cli import config_option
from node.cli.files import find
from node.config import Settings, load
from node.core.results import verify_files
from node.errors import Usage


@click.group()
def results() -> None:
    """Results: Segmentations and Structured Reports."""


@results.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of the source series. Default: the series as this node keeps it.",
)
@config_option
def verify(files: tuple[Path, ...], source: Path | None, config: Path | None) -> None:
    """Check Segmentations against their source images, by a path that shares nothing with the one that made them.

    Patient, study, frame of reference, matrix, and for each frame the position, orientation and spacing of the source
    image that it names. Exit status 1 when something differs.
    """
    failed = False
    for file in files:
        header = read_header(file).ds
        if header.get("SOPClassUID") != SegmentationStorage:
            click.echo(f"{file}: not a Segmentation; nothing to compare")
            continue
        paths = _files_of(source) if source else _kept(header, load(config))
        differences = verify_files(file.read_bytes(), [read_header(path).ds for path in paths])
        for difference in differences:
            click.echo(f"{file}: {difference}")
        if not differences:
            click.echo(f"{file}: lies where its source images are")
        failed = failed or bool(differences)
    if failed:
        raise click.exceptions.Exit(1)


def _files_of(folder: Path) -> list[Path]:
    return [path for path, _ in find([folder]).files]


def _kept(header: Dataset, settings: Settings) -> list[Path]:
    """The source series as this node keeps it."""
    referenced = header.get("ReferencedSeriesSequence")
    uid = str(referenced[0].get("SeriesInstanceUID", "")) if referenced else ""
    database = Database(settings.database_url)
    database.migrate()
    stored = instances(database, uid)
    if not stored:
        raise Usage("this node does not keep the series that the file refers to: name its folder with --source")
    from node.app import build_store  # only here: it takes a second

    files, _ = build_store(settings)
    return [files.path(one.path) for one in stored]
