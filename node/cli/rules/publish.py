"""`mricore-node rules publish`, `rollback`, `proposals`, `approve` and `reject`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.database import proposals as proposal_rows
from node.adapters.database.proposals import Proposal
from node.adapters.database.rules import Publication
from node.adapters.rule_files import read_rule_files
from node.app.clock import utc_now
from node.cli import config_option, integer, json_option, tables
from node.cli.rules.opening import author_option, base_option, opened, reason_option
from node.pipeline.rule_sets.trials import Trials, foretold
from node.pipeline.rule_sets.versions import DIRECTORY, PUBLISH, Change


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@author_option
@reason_option
@base_option
@click.option("--no-simulation", is_flag=True, help="Do not try it first on the series that came.")
@config_option
def publish(
    directory: Path, author: str, reason: str, base: str | None, no_simulation: bool, config: Path | None
) -> None:
    """Put the rule files of DIRECTORY into use, as an immutable version.

    Running nodes take it up with the next series; nothing is restarted. Jobs keep the version that made them. It is
    simulated first, where it was not yet; the history keeps what was foretold. With rules.approval the files are
    proposed, and another person runs `rules approve`.
    """
    with opened(config) as (settings, versions):
        origin = DIRECTORY if directory.resolve() == settings.rules.directory.resolve() else PUBLISH
        done = versions.publish(
            read_rule_files(directory),
            Change(author, reason),
            base=base,
            origin=origin,
            foretold=_nothing if no_simulation else foretold(Trials(versions.database, utc_now), author),
        )
    click.echo(told(done))


def told(done: Publication | Proposal) -> str:
    """What was done, in a sentence."""
    said = f". It {done.simulation['sentence']}" if done.simulation else ""
    if isinstance(done, Publication):
        return f"publication {done.number} ({done.version[:12]}) is in use{said}"
    return f"proposal {done.id} ({done.version[:12]}) waits for another person: rules approve {done.id}{said}"


def _nothing(_version: str, _in_use: str) -> None:
    """Nothing was foretold."""


@click.command()
@click.argument("version")
@author_option
@reason_option
@base_option
@config_option
def rollback(version: str, author: str, reason: str, base: str | None, config: Path | None) -> None:
    """Put an earlier VERSION (a number of `rules history`, or a version) into use again, at once."""
    with opened(config) as (_, versions):
        done = versions.rollback(version, Change(author, reason), base)
    click.echo(told(done))


@click.command()
@json_option
@config_option
def proposals(as_json: bool, config: Path | None) -> None:
    """Rule sets that wait for another person."""
    with opened(config) as (_, versions):
        waiting = proposal_rows.waiting(versions.database)
    if as_json:
        tables.show_json(waiting)
        return
    rows = [[one.id, one.version[:12], tables.moment(one.at), one.author, one.reason] for one in waiting]
    tables.show(["proposal", "version", "at", "author", "reason"], rows)


@click.command()
@click.argument("proposal", type=integer)
@author_option
@config_option
def approve(proposal: int, author: str, config: Path | None) -> None:
    """Approve PROPOSAL of another person: it is in use at once."""
    with opened(config) as (_, versions):
        done = versions.approve(proposal, author)
    click.echo(told(done))


@click.command()
@click.argument("proposal", type=integer)
@author_option
@config_option
def reject(proposal: int, author: str, config: Path | None) -> None:
    """Close PROPOSAL without using it."""
    with opened(config) as (_, versions):
        versions.reject(proposal, author)
    click.echo(f"proposal {proposal} is rejected")
