"""`mricore-node rules simulate`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from node.adapters.database import headers
from node.adapters.rule_files import read_rule_files
from node.app.clock import utc_now
from node.cli import config_option, json_option, tables
from node.cli.rules.opening import author_option, opened
from node.core.trial import Foretold
from node.pipeline.rule_sets.trials import Trials
from node.pipeline.rule_sets.versions import Change

_SHOWN = 50


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--since", "days", type=click.IntRange(1, 3650), help="Days to look back. Default: all that is kept.")
@click.option("--against", metavar="VERSION", help="Compare with this version. Default: what is in use.")
@click.option("--all", "everything", is_flag=True, help=f"List every series, not only the first {_SHOWN}.")
@author_option
@json_option
@config_option
def simulate(
    directory: Path,
    days: int | None,
    against: str | None,
    everything: bool,
    author: str,
    as_json: bool,
    config: Path | None,
) -> None:
    """What the rule files of DIRECTORY would have done with the series that came, beside what is in use.

    The headers that are kept (rules.keep_headers_days) are put to both; nothing is changed. `rules publish` of the
    same files keeps the outcome's digest in the history.
    """
    with opened(config) as (_, versions):
        trials = Trials(versions.database, utc_now)
        draft = read_rule_files(directory)
        base, in_use = versions.files(against)
        version = versions.keep(draft, Change(author, "simulated"))
        number = trials.begin(version, base, days or 0, author)
        total = max(1, headers.number(versions.database))
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as shown:
            bar = shown.add_task("series", total=total)
            found = trials.recorded(
                number, draft, in_use, days or 0, lambda done, _total: shown.update(bar, completed=done)
            )
    if as_json:
        tables.show_json(found.to_json())
        return
    _print(found, everything)


def _print(found: Foretold, everything: bool) -> None:
    click.echo(found.sentence)
    if found.uncertain:
        click.echo(f"{found.uncertain} series held values these rules ask for that are not kept: they count as unknown")
    listed = found.listed if everything else found.listed[:_SHOWN]
    if listed:
        lines = [[one.series_instance_uid, one.description, one.now, one.then] for one in listed]
        tables.show(["series", "description", "now", "then"], lines)
    if found.changed > len(listed):
        click.echo(f"and {found.changed - len(listed)} more")
