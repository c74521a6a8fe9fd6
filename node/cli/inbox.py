"""`mricore-node inbox`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.database import Database
from node.app.clock import utc_now
from node.cli import config_option, integer, json_option
from node.cli.tables import moment, show, show_json
from node.config import load
from node.pipeline.inbox import Act, Chosen, Inbox, counted

_ACTOR = "command line"


@click.group()
def inbox() -> None:
    """What is stuck and waits for a person: by its cause, and much of it dealt with at once."""


@inbox.command("list")
@click.argument("cause", required=False)
@click.option("--before", help="Only those behind this one, as the page before said.")
@click.option("--limit", default=50, show_default=True, help="At most so many of a cause.")
@config_option
@json_option
def list_stuck(cause: str | None, before: str | None, limit: int, config: Path | None, as_json: bool) -> None:
    """List causes; or, with a CAUSE, the series and jobs that are stuck for it, newest first."""
    box = _inbox(config)
    if cause is None:
        groups = box.groups()
        if as_json:
            show_json([vars(one) for one in groups])
            return
        show(
            ("cause", "number", "since", "kind", "reason"),
            [(one.cause, counted(one), moment(one.newest.since), one.kind, one.newest.reason) for one in groups],
        )
        return
    page = box.of_cause(cause, before, limit)
    if as_json:
        show_json([vars(one) for one in page.entries])
        return
    show(
        ("since", "job", "series", "reason"),
        [(moment(one.since), one.job or "", one.series_instance_uid, one.reason) for one in page.entries],
    )
    if page.before:
        click.echo(f"older ones: --before {page.before}")


def _acting(act: Act, help_text: str) -> None:
    @inbox.command(act.value, help=help_text)
    @click.option("--cause", help="All that is stuck for this cause; `inbox list` shows causes.")
    @click.option("--job", "jobs", type=integer, multiple=True, help="This job.")
    @click.option("--series", "series", multiple=True, help="This series, by its UID.")
    @click.option("--reason", required=True, help="Kept in the history and in the audit trail.")
    @config_option
    def command(
        cause: str | None, jobs: tuple[int, ...], series: tuple[str, ...], reason: str, config: Path | None
    ) -> None:
        done = _inbox(config).act(act, Chosen(jobs, series, cause), reason, _ACTOR)
        left = "; there are more of this cause: do it again" if done.left else ""
        click.echo(f"{done.done} done, {done.refused} left alone{left}")
        if done.refused and not done.done:
            raise click.exceptions.Exit(1)


_acting(Act.RETRY, "Try jobs again: each begins where it stopped.")
_acting(Act.DISMISS, "Nothing is to be done: the images count as filtered on purpose, and may be removed to make room.")
_acting(Act.REPROCESS, "Have the rules of this moment decide on the series anew; what they ask for supersedes.")


def _inbox(config: Path | None) -> Inbox:
    database = Database(load(config).database_url)
    database.migrate()
    return Inbox(database, utc_now)
