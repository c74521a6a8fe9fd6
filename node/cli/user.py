"""`mricore-node user`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from node.adapters.database.access import accounts
from node.cli import config_option, json_option
from node.cli.opening import doors, who
from node.cli.tables import moment, show, show_json
from node.core.access import Role
from node.errors import Usage

_ROLES = click.Choice([role.value for role in Role])
_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it."
)


@click.group()
def user() -> None:
    """Who may sign in, and as what.

    \b
    viewer     looks
    operator   also retries, cancels, reroutes, pauses, admits senders
    author     also writes rules
    approver   also approves rules of others
    admin      also users, sources, destinations, models
    """


@user.command()
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What the user may.")
@click.option("--hide-patients", is_flag=True, help="Names and IDs of patients are masked, and DICOMweb is closed.")
@_stdin
@config_option
def add(name: str, role: str, hide_patients: bool, password_stdin: bool, config: Path | None) -> None:
    """Add user NAME. The password is asked for: 12 characters or more, whatever they are."""
    with doors(config) as open_doors:
        password = _password(password_stdin)
        made = open_doors.people.add(name, Role(role), password, sees_patients=not hide_patients, actor=who())
    click.echo(f"user {made.name} is there, as {made.role}")


@user.command()
@click.argument("name")
@_stdin
@config_option
def passwd(name: str, password_stdin: bool, config: Path | None) -> None:
    """Set the password of NAME; its sessions end."""
    with doors(config) as open_doors:
        accounts.get(open_doors.people.database, name)
        open_doors.people.set_password(name, _password(password_stdin), actor=who())
    click.echo(f"user {name} has a new password")


@user.command("role")
@click.argument("name")
@click.argument("role", type=_ROLES)
@click.option("--hide-patients/--show-patients", default=None, help="Whether patients' names are masked.")
@click.option("--reason", default="", help="Kept in the audit trail.")
@config_option
def change_role(name: str, role: str, hide_patients: bool | None, reason: str, config: Path | None) -> None:
    """Give NAME another ROLE; its sessions end."""
    sees = None if hide_patients is None else not hide_patients
    with doors(config) as open_doors:
        made = open_doors.people.change(name, role=Role(role), sees_patients=sees, actor=who(), reason=reason)
    click.echo(f"user {made.name} is {made.role}")


@user.command("list")
@config_option
@json_option
def list_users(config: Path | None, as_json: bool) -> None:
    """List users, removed ones last."""
    with doors(config) as open_doors:
        found = accounts.listed(open_doors.people.database)
    if as_json:
        show_json(found)
        return
    show(
        ("user", "role", "sees patients", "signs in", "since", "removed"),
        [
            (
                one.name,
                one.role.value,
                "yes" if one.sees_patients else "no",
                "here" if one.origin == accounts.LOCAL else "at the provider",
                moment(one.created_at),
                moment(one.removed_at) if one.removed_at else "",
            )
            for one in found
        ],
    )


@user.command()
@click.argument("name")
@click.option("--reason", default="", help="Kept in the audit trail.")
@config_option
def remove(name: str, reason: str, config: Path | None) -> None:
    """Remove NAME: sessions and tokens end. The name stays taken, for the audit trail speaks of it."""
    with doors(config) as open_doors:
        open_doors.people.remove(name, actor=who(), reason=reason)
    click.echo(f"user {name} is removed")


@user.command("first-code")
@config_option
def first_code(config: Path | None) -> None:
    """Print a code that lets whoever types it at /admin/first-start become the first administrator, for one hour."""
    with doors(config) as open_doors:
        click.echo(open_doors.signing_in.first_code())


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Usage("password: there is no terminal to ask at. Write it to standard input with --password-stdin")
    answered: str = click.prompt("password", hide_input=True, confirmation_prompt=True)
    return answered
