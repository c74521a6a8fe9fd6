"""`mricore-node rules check`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from node.adapters.database import Database
from node.adapters.rule_files import read_rule_files
from node.adapters.triton import read_repository
from node.app.places import with_places
from node.cli import config_option
from node.config import Settings, load
from node.core.rules import Mistake, Severity, check_rule_set
from node.errors import NodeError


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), required=False)
@config_option
def check(directory: Path | None, config: Path | None) -> None:
    """Check the rule files of DIRECTORY: every mistake with file, line and cure.

    Models and destinations are looked up in the settings. Exit status 1 when there is an error.
    """
    settings = load(config)
    files = read_rule_files(directory or settings.rules.directory)
    mistakes = mistakes_of(files, _now(settings))
    for mistake in mistakes:
        click.echo(str(mistake))
    errors = sum(1 for mistake in mistakes if mistake.severity is Severity.ERROR)
    click.echo(f"{len(files)} files, {errors} errors, {len(mistakes) - errors} warnings")
    if errors:
        raise click.exceptions.Exit(1)


def _now(settings: Settings) -> Settings:
    """With what was added while the node ran; where it never ran, or its database is away, as node.toml has it."""
    if (
        settings.database_url.startswith("sqlite")
        and not Path(settings.database_url.removeprefix("sqlite:///")).exists()
    ):
        return settings
    database = Database(settings.database_url)
    try:
        database.migrate()
        return with_places(settings, database)
    except NodeError:
        return settings
    finally:
        database.close()


def mistakes_of(files: Mapping[str, str], settings: Settings) -> tuple[Mistake, ...]:
    """What is wrong with rule files, given this node's models and destinations."""
    cards = {model.card.name: model.card for model in read_repository(settings.triton.models)}
    told = [one.name for one in settings.notify]
    return check_rule_set(files, models=cards, destinations=settings.destination_names, told=told)
