"""`mricore-node results`."""

from __future__ import annotations

from pathlib import Path

import click
from pydicom.dataset import Dataset

from node.adapters.database import Database
from node.adapters.database.series import instances
from node.adapters.headers import read_header
from node.cli import config_option
from node.cli.files import find
from node.config import Settings, load
from node.core.results import verify_files
from node.errors import BadInstance, Usage


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
    """Check results against their source images, by a path that shares nothing with the one that made them.

    Of every form: patient, study, and whether it refers to images that are there. Of a Segmentation also the frame of
    reference, the matrix, and for each frame the position, orientation and spacing of the source image that it names.
    Exit status 1 when something differs.
    """
    failed = False
    for file in files:
        try:
            header = read_header(file).ds
        except BadInstance as bad:
            raise Usage(f"{file}: {bad}") from bad
        paths = _files_of(source) if source else _kept(header, load(config))
        differences = verify_files(file.read_bytes(), [read_header(path).ds for path in paths])
        for difference in differences:
            click.echo(f"{file}: {difference}")
        if not differences:
            click.echo(f"{file}: agrees with its source images")
        failed = failed or bool(differences)
    if failed:
        raise click.exceptions.Exit(1)


def _files_of(folder: Path) -> list[Path]:
    return [path for path, _ in find([folder]).files]


def _kept(header: Dataset, settings: Settings) -> list[Path]:
    """The source series as this node keeps it."""
    database = Database(settings.database_url)
    database.migrate()
    for uid in dict.fromkeys(_series(header)):
        if stored := instances(database, uid):
            from node.app.store import build_store  # only here: it takes a second

            files, _ = build_store(settings)
            return [files.path(one.path) for one in stored]
    raise Usage("this node does not keep the series that the file refers to: name its folder with --source")


def _series(header: Dataset) -> list[str]:
    """The series that a result refers to: at its root, or in an SR's evidence (PS3.3 C.17.2.3)."""
    roots = [header, *header.get("CurrentRequestedProcedureEvidenceSequence", [])]
    return [str(one.get("SeriesInstanceUID", "")) for root in roots for one in root.get("ReferencedSeriesSequence", [])]
