"""`mricore-node viewer`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from rich.progress import Progress

from node.adapters import viewer as files
from node.cli import config_option
from node.config import load


@click.group()
def viewer() -> None:
    """The OHIF viewer that the node serves below /ohif/."""


@viewer.command()
@config_option
@click.option(
    "--from",
    "package",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A package that was brought here, on a machine without a network.",
)
def install(config: Path | None, package: Path | None) -> None:
    """Install the pinned release of OHIF.

    It is fetched with the npm client (`npm pack`, nothing is built), checked against its known SHA-512, trimmed and
    compressed, and lies in node.data_dir. A running node serves it at once. Without a network:

    \b
        npm pack @ohif/app@3.13.2                     # elsewhere
        mricore-node viewer install --from ohif-app-3.13.2.tgz
    """
    target = load(config).viewer_folder
    with tempfile.TemporaryDirectory() as name, Progress(transient=True) as shown:
        if package is None:
            fetching = shown.add_task("fetching", total=None)
            package = files.fetch(Path(name))
            shown.remove_task(fetching)
        unpacking = shown.add_task("unpacking", total=1.0)
        number = files.install(
            package, target, "/ohif/", lambda at: shown.update(unpacking, completed=at.done / max(1, at.whole))
        )
    click.echo(f"OHIF {files.VERSION}: {number} files in {target}; served below /ohif/")
