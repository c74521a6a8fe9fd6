"""`mricore-node token`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.database.access import tokens
from node.app.clock import utc_now
from node.cli import config_option, integer, json_option
from node.cli.opening import doors, who
from node.cli.tables import moment, show, show_json
from node.core.access import Right

_SCOPES = click.Choice([right.value for right in Right])


@click.group()
def token() -> None:
    """API tokens: what programs show instead of signing in, as `Authorization: Bearer …`."""


@token.command()
@click.option("--user", required=True, help="Whose it is: it may never more than its owner does.")
@click.option("--name", required=True, help="What it is for.")
@click.option("--scope", "scopes", type=_SCOPES, multiple=True, required=True, help="What it may; several times.")
@click.option("--days", default=90.0, show_default=True, help="How long it counts; 365 at most.")
@click.option("--see-patients", is_flag=True, help="It gets patients' names; DICOMweb needs this.")
@config_option
@json_option
def create(
    user: str, name: str, scopes: tuple[str, ...], days: float, see_patients: bool, config: Path | None, as_json: bool
) -> None:
    """Make a token. It is printed this once; only its digest is kept."""
    with doors(config) as open_doors:
        made, secret = open_doors.people.create_token(
            user, name, [Right(scope) for scope in scopes], days=days, sees_patients=see_patients, actor=who()
        )
    if as_json:
        show_json({**vars(made), "secret": secret})
        return
    click.echo(secret)
    click.echo(f"token {made.id} of {made.user} counts until {moment(made.expires_at)}", err=True)


@token.command("list")
@click.option("--user", default=None, help="Only those of one user.")
@config_option
@json_option
def list_tokens(user: str | None, config: Path | None, as_json: bool) -> None:
    """List tokens, the newest first; never their secrets."""
    with doors(config) as open_doors:
        found = tokens.listed(open_doors.people.database, user)
    if as_json:
        show_json(found)
        return
    show(
        ("token", "user", "for", "begins with", "may", "until", "last used", "revoked"),
        [
            (
                one.id,
                one.user,
                one.name,
                one.shown,
                ", ".join(one.scopes),
                moment(one.expires_at),
                moment(one.used_at) if one.used_at else "never",
                moment(one.revoked_at) if one.revoked_at else "",
            )
            for one in found
        ],
    )


@token.command()
@click.argument("number", type=integer)
@config_option
def revoke(number: int, config: Path | None) -> None:
    """End token NUMBER at once."""
    with doors(config) as open_doors:
        tokens.revoke(open_doors.people.database, number, utc_now(), actor=who())
    click.echo(f"token {number} is revoked")
