"""What every command on versions needs: the database, and who is at the keyboard."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from node.adapters.database import Database
from node.app.clock import utc_now
from node.app.places import with_places
from node.cli.rules.check import mistakes_of
from node.config import Settings, load
from node.core.rules import Mistake
from node.pipeline.rule_sets.versions import Versions


@contextmanager
def opened(config: Path | None) -> Iterator[tuple[Settings, Versions]]:
    """The settings, and the versions in their database."""
    settings = load(config)
    database = Database(settings.database_url)
    try:
        database.migrate()
        yield settings, versions_of(settings, database)
    finally:
        database.close()


def versions_of(settings: Settings, database: Database) -> Versions:
    """Checked with the destinations of node.toml and those that were added while the node ran."""

    def mistakes(files: Mapping[str, str]) -> tuple[Mistake, ...]:
        return mistakes_of(files, with_places(settings, database))

    return Versions(database, utc_now, mistakes, settings.rules.approval)


def author_option(command: click.decorators.FC) -> click.decorators.FC:
    """`--author`, who is held to account in the history."""
    return click.option("--author", default=_me, show_default="who is logged in", help="Who does it, for the history.")(
        command
    )


def reason_option(command: click.decorators.FC) -> click.decorators.FC:
    return click.option("--reason", required=True, help="Why, for the history.")(command)


def base_option(command: click.decorators.FC) -> click.decorators.FC:
    return click.option(
        "--base", metavar="VERSION", help="What this was made from: refuse if something else is in use by now."
    )(command)


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
