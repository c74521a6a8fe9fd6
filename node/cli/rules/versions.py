"""`mricore-node rules history`, `show`, `diff` and `export`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.database import rules as rows
from node.adapters.rule_files import read_rule_files, write_rule_files
from node.cli import config_option, json_option, tables
from node.cli.rules.opening import opened
from node.pipeline.rule_sets.versions import Versions, difference


@click.command()
@click.option("--limit", default=20, show_default=True, help="Publications at most.")
@json_option
@config_option
def history(limit: int, as_json: bool, config: Path | None) -> None:
    """Which rule set was in use from when on, who published it, and why. The first line is in use now."""
    with opened(config) as (_, versions):
        found = rows.history(versions.database, limit)
    if as_json:
        tables.show_json(found)
        return
    lines = [
        [one.number, one.version[:12], tables.moment(one.at), _people(one.author, one.approver), one.origin,
         one.reason, (one.simulation or {}).get("sentence", "")]
        for one in found
    ]  # fmt: skip
    tables.show(["number", "version", "at", "author", "origin", "reason", "simulated"], lines)


def _people(author: str, approver: str) -> str:
    return f"{author}, approved by {approver}" if approver else author


@click.command()
@click.argument("version", required=False)
@click.option("--file", "name", help="Only this file, byte for byte.")
@config_option
def show(version: str | None, name: str | None, config: Path | None) -> None:
    """The rule files of VERSION (a number of `rules history`, or a version); of what is in use without one."""
    with opened(config) as (_, versions):
        _, files = versions.files(version)
    if name is not None:
        if name not in files:
            raise click.BadParameter(f"{name} is none of {', '.join(sorted(files))}", param_hint="--file")
        click.echo(files[name].encode("utf-8"), nl=False)
        return
    for file in sorted(files):
        click.echo(f"# ---- {file}")
        click.echo(files[file])


@click.command()
@click.argument("one")
@click.argument("other", required=False)
@config_option
def diff(one: str, other: str | None, config: Path | None) -> None:
    """What changed from ONE to OTHER: versions, numbers of `rules history`, or folders. Without OTHER: what is in use.

    Exit status 0, whether they differ or not.
    """
    with opened(config) as (_, versions):
        lines = difference(_files(versions, one), _files(versions, other))
    for line in lines or ["no difference"]:
        click.echo(line)


def _files(versions: Versions, text: str | None) -> dict[str, str]:
    if text is not None and Path(text).is_dir():
        return read_rule_files(Path(text))
    return versions.files(text)[1]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.argument("version", required=False)
@click.option("--replace", is_flag=True, help="DIRECTORY holds rule files already: replace them all.")
@config_option
def export(directory: Path, version: str | None, replace: bool, config: Path | None) -> None:
    """Write the rule files of VERSION into DIRECTORY, byte for byte as they were published.

    Without VERSION those in use.
    """
    with opened(config) as (_, versions):
        found, files = versions.files(version)
    write_rule_files(directory, files, replace=replace)
    click.echo(f"{len(files)} files of {found[:12]} in {directory}. Publish a change with --base {found[:12]}")
