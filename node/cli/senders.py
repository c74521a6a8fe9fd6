"""`mricore-node senders`."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from node.cli import config_option, json_option
from node.cli.tables import moment, show, show_json
from node.pipeline.senders import Sender, Senders


@click.group()
def senders() -> None:
    """Who asked for associations, and who may send.

    Senders named as sources may always send. Others are listed here with the reason why they were refused and what
    they wanted to send, and may send from the moment they are admitted: the node need not be restarted.
    """


@senders.command("list")
@config_option
@json_option
def list_senders(config: Path | None, as_json: bool) -> None:
    """List senders, the latest first."""
    with _opened(config) as known:
        found = known.listed()
    if as_json:
        show_json([{**asdict(one.known), **{key: getattr(one, key) for key in _ASKED}} for one in found])
        return
    show(
        ("AE title", "host", "last seen", "associations", "may send", "why not", "asked for"),
        [
            (
                one.known.calling_ae,
                one.known.host or "any",
                moment(one.known.last_at) if one.known.associations else "never",
                one.known.associations,
                _may(one),
                one.known.reason,
                ", ".join(one.proposed[:4]) + (" …" if len(one.proposed) > 4 else ""),
            )
            for one in found
        ],
    )


@senders.command()
@click.argument("ae_title")
@click.option("--host", default="", help="The address it may send from. Default: any.")
@config_option
def admit(ae_title: str, host: str, config: Path | None) -> None:
    """Let AE_TITLE send from now on."""
    with _opened(config) as known:
        known.admit(ae_title, host, getpass.getuser())
    click.echo(f"{ae_title} may send from {host or 'any host'}")


@senders.command()
@click.argument("ae_title")
@click.option("--host", default=None, help="Only this host's entry. Default: all of its entries.")
@config_option
def forget(ae_title: str, host: str | None, config: Path | None) -> None:
    """Take an admission back and strike AE_TITLE off the list."""
    with _opened(config) as known:
        known.forget(ae_title, host, getpass.getuser())
    click.echo(f"{ae_title} is forgotten")


_ASKED = ("called_ae", "certificate_name", "proposed")


def _may(one: Sender) -> str:
    if one.known.admitted:
        return "admitted"
    return "yes" if one.known.accepted else "no"


@contextmanager
def _opened(config: Path | None) -> Iterator[Senders]:
    from node.adapters.database import Database
    from node.app.clock import utc_now
    from node.config import load

    database = Database(load(config).database_url)
    try:
        database.migrate()
        yield Senders(database, utc_now)
    finally:
        database.close()
