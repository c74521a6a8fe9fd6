"""`mricore-node senders`."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from node.cli import config_option, json_option
from node.errors import Usage

if TYPE_CHECKING:
    from node.adapters.database import Database
    from node.adapters.database.senders import KnownSender


@click.group()
def senders() -> None:
    """Who asked for associations, and who may send.

    Senders named as [[source]] in node.toml may always send. Others are listed here with the reason why they were
    refused, and may send from the moment they are admitted: the node need not be restarted.
    """


@senders.command("list")
@config_option
@json_option
def list_senders(config: Path | None, as_json: bool) -> None:
    """List senders, the latest first."""
    from node.adapters.database.senders import known_senders

    database = _database(config)
    try:
        known = known_senders(database)
    finally:
        database.close()
    if as_json:
        click.echo(json.dumps([asdict(one) for one in known], default=str))
        return
    table = Table("AE title", "host", "last seen", "associations", "may send", "why not")
    for one in known:
        seen = f"{one.last_at:%Y-%m-%d %H:%M:%S}" if one.associations else "never"
        table.add_row(one.calling_ae, one.host or "any", seen, str(one.associations), _may(one), one.reason)
    Console().print(table)


@senders.command()
@click.argument("ae_title")
@click.option("--host", default="", help="The address it may send from. Default: any.")
@config_option
def admit(ae_title: str, host: str, config: Path | None) -> None:
    """Let AE_TITLE send from now on."""
    from node.adapters.database.senders import admit as write
    from node.app import utc_now

    if not 1 <= len(ae_title.strip()) <= 16:
        raise Usage(f"{ae_title}: an AE title has 1 to 16 characters")
    database = _database(config)
    try:
        write(database, ae_title.strip(), host, actor=getpass.getuser(), at=utc_now())
    finally:
        database.close()
    click.echo(f"{ae_title} may send from {host or 'any host'}")


@senders.command()
@click.argument("ae_title")
@click.option("--host", default=None, help="Only this host's entry. Default: all of its entries.")
@config_option
def forget(ae_title: str, host: str | None, config: Path | None) -> None:
    """Take an admission back and strike AE_TITLE off the list."""
    from node.adapters.database.senders import forget as strike

    database = _database(config)
    try:
        struck = strike(database, ae_title.strip(), host)
    finally:
        database.close()
    if not struck:
        raise Usage(f"{ae_title}: no such sender") if host is None else Usage(f"{ae_title} at {host}: no such sender")
    click.echo(f"{ae_title} is forgotten")


def _may(one: KnownSender) -> str:
    if one.admitted:
        return "admitted"
    return "yes" if one.accepted else "no"


def _database(config: Path | None) -> Database:
    from node.adapters.database import Database
    from node.config import load

    database = Database(load(config).database_url)
    database.migrate()
    return database
