"""`mricore-node notices`."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.adapters.database import Database
from node.cli import config_option, integer, json_option
from node.cli.tables import moment, show, show_json
from node.config import load

if TYPE_CHECKING:
    from node.pipeline.notices.people import Notices


@click.group()
def notices() -> None:
    """What is wrong with the node, and who is told."""


@notices.command("list")
@config_option
@json_option
@click.option("--all", "everything", is_flag=True, help="Also what is over.")
@click.option("--sent", is_flag=True, help="The messages that were sent last.")
@click.option("--limit", default=50, show_default=True, help="At most so many, newest first.")
def list_notices(config: Path | None, as_json: bool, everything: bool, sent: bool, limit: int) -> None:
    """List what is wrong, and who can be reached."""
    with _notices(config) as found:
        if sent:
            messages = found.sent()
            if as_json:
                show_json([vars(one) for one in messages])
                return
            show(
                ("when", "notice", "to", "what", "subject"),
                [(moment(one.at), one.alarm_id, one.listener, one.what, one.subject) for one in messages],
            )
            return
        page = found.listed(most=limit, only_open=not everything)
        reached, unknown = found.reached(), found.unreachable()
    if as_json:
        told = {"notices": page.alarms, "listeners": reached, "unknown": unknown}
        show_json(told)
        return
    show(
        ("notice", "severity", "what", "since", "until", "who knows"),
        [
            (one.id, one.severity, one.what, moment(one.first_at), moment(one.ended_at), one.acknowledged_by)
            for one in page.alarms
        ],
    )
    show(
        ("told", "by", "sent", "failures", "why"),
        [(one.name, one.kind, one.sent, one.failures, one.reason) for one in reached],
    )
    for name in unknown:
        click.echo(f"rules tell {name}, and no [[notify]] has this name")


@notices.command()
@click.argument("notice", type=integer)
@config_option
def ack(notice: int, config: Path | None) -> None:
    """Say that somebody knows of NOTICE: nobody is told again until there is more of it, or it is worse."""
    with _notices(config) as found:
        known = found.acknowledge(notice, getpass.getuser())
    click.echo(f"notice {known.id} is acknowledged: {known.what}")


@notices.command()
@click.argument("name")
@config_option
def test(name: str, config: Path | None) -> None:
    """Send a test message to NAME, a [[notify]] of the settings. Exit status 1 when it was not taken."""
    with _notices(config) as found:
        found.test(name)
    click.echo(f"{name} took a test message")


@contextmanager
def _notices(config: Path | None) -> Iterator[Notices]:
    from node.app.clock import utc_now
    from node.app.noticing import build_notices  # only here: it takes a second

    settings = load(config)
    database = Database(settings.database_url)
    database.migrate()
    try:
        yield build_notices(settings, database, utc_now)
    finally:
        database.close()
