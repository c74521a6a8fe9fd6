"""`mricore-node bundle`: everything that a server without a network needs, in one file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from node import __version__
from node.cli import config_option
from node.cli.bundle import packing, wheels
from node.config import load
from node.errors import Usage


@click.group()
def bundle() -> None:
    """Everything that a server without a network needs, in one file."""


@bundle.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--node-wheel", type=click.Path(path_type=Path, exists=True), help="The node's wheel. Default: built here."
)
@click.option("--wheels", "house", type=click.Path(path_type=Path, file_okay=False, exists=True),
              help="Take all other wheels from this folder instead of the package registry.")  # fmt: skip
@click.option("--platform", help="Of the server, e.g. manylinux_2_34_aarch64. Default: as here.")
@click.option("--python", "minor", default=f"{sys.version_info.major}.{sys.version_info.minor}", show_default=True,
              help="Minor version of the server's Python.")  # fmt: skip
@click.option(
    "--viewer", type=click.Path(path_type=Path, exists=True), help="OHIF's package. Default: fetched with npm."
)
@click.option("--without-viewer", is_flag=True, help="Without OHIF.")
@click.option("--sign", type=click.Path(path_type=Path, exists=True), help="Sign it with this key (PEM, Ed25519).")
def make(
    config: Path | None,
    file: Path,
    node_wheel: Path | None,
    house: Path | None,
    platform: str | None,
    minor: str,
    viewer: Path | None,
    without_viewer: bool,
    sign: Path | None,
) -> None:
    """Pack FILE: wheels, the tritonserver of small CPU sites, OHIF, models, rules, units, and the script that installs.

    Models and rules are those of the settings, so that a site's own travel too. `tar xf FILE` on the server, then
    `install.sh` in the folder that appears: it compares every file with its SHA-256, and with --key the signature.

    \b
    mricore-node bundle make mricore.tar
    openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out public.pem
    mricore-node bundle make mricore.tar --sign key.pem
    """
    settings = load(config)
    if file.exists():
        raise Usage(f"{file}: is there already")
    content = packing.Content(
        models=settings.triton.models, rules=settings.rules.directory, python=minor, version=__version__
    )
    with packing.folder(file) as folder:
        wheels.gather(folder / "wheels", wheels.Wanted(node_wheel, house, platform, minor), click.echo)
        if not without_viewer:
            packing.add_viewer(folder, viewer, click.echo)
        packing.lay(folder, content)
        packing.seal(folder, sign)
        packing.pack(folder, file)
    click.echo(
        f"{file}: {file.stat().st_size / 1e6:.0f} MB. On the server: tar xf {file.name}, then install.sh in its folder"
    )
