"""`mricore-node rules shadow`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.database import Database, shadows
from node.adapters.rule_files import read_rule_files
from node.app.clock import utc_now
from node.cli import config_option, json_option, tables
from node.cli.rules.opening import author_option, opened
from node.errors import Usage
from node.pipeline.rule_sets.shadow import seen_by_shadow
from node.pipeline.rule_sets.versions import Change


@click.command()
@click.argument("draft", metavar="DIR|off", required=False)
@click.option("--show", is_flag=True, help="What the draft in the shadow would have done otherwise.")
@author_option
@json_option
@config_option
def shadow(draft: str | None, show: bool, author: str, as_json: bool, config: Path | None) -> None:
    """Put the rule files of DIR into the shadow: asked about every series that comes, obeyed for none.

    `rules shadow off` ends it, `rules shadow --show` counts and lists what it would have done otherwise.
    """
    if bool(draft) is show:
        raise Usage("rules shadow: give a folder, or off, or --show")
    with opened(config) as (_, versions):
        if show:
            _show(versions.database, as_json)
        elif draft == "off":
            shadows.begin(versions.database, "", author, utc_now())
            click.echo("nothing is in the shadow")
        else:
            version = versions.keep(read_rule_files(Path(draft or "")), Change(author, "in the shadow"))
            shadows.begin(versions.database, version, author, utc_now())
            click.echo(f"{version[:12]} is in the shadow. See `rules shadow --show`")


def _show(database: Database, as_json: bool) -> None:
    seen = seen_by_shadow(database)
    if as_json:
        tables.show_json(seen)
        return
    if seen is None:
        click.echo("nothing is in the shadow")
        return
    click.echo(f"{seen.shadow.version[:12]} {seen.sentence} since {tables.moment(seen.shadow.at)}")
    if seen.listed:
        lines = [[one.series_instance_uid, tables.moment(one.at), one.decided["does"], one.would["does"]]
                 for one in seen.listed]  # fmt: skip
        tables.show(["series", "at", "did", "would have"], lines)
