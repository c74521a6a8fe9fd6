"""`keys`, `add`, `edit` and `remove`, the same for destinations, groups of them and sources."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from node.cli import config_option, integer, json_option
from node.cli.destinations.opening import opened
from node.cli.tables import show, show_json
from node.core.places import FAILOVER, Family, Place, flat, nested
from node.errors import Usage

_BELOW = {Family.DESTINATION: "destinations", Family.GROUP: "destinations groups", Family.SOURCE: "sources"}


def keeping_commands(family: Family) -> list[click.Command]:
    """The commands that change what is written down."""
    return [make(family) for make in (_keys, _add, _edit, _remove)]


def _keys(family: Family) -> click.Command:
    @click.command("keys", help=f"The keys of a {family} of KIND, with what each means. Without KIND: the kinds.")
    @click.argument("kind", required=False)
    @config_option
    @json_option
    def keys(kind: str | None, config: Path | None, as_json: bool) -> None:
        with opened(config) as destinations:
            book = destinations.places.book
            if kind is None:
                click.echo("\n".join(book.kinds(family)))
                return
            found = book.keys(family, kind)
        if as_json:
            show_json([vars(one) for one in found])
            return
        show(
            ("key", "", "default", "means"),
            [
                (one.name, "required" if one.required else ", ".join(one.choices) or one.shape, one.default, one.help)
                for one in found
            ],
        )

    return keys


def _add(family: Family) -> click.Command:
    @click.command("add", help=f"Add a {family}. The node takes it up within seconds.")
    @click.argument("name")
    @_kind(family)
    @_values
    @config_option
    def add(name: str, kind: str, values: tuple[str, ...], secrets: tuple[str, ...], config: Path | None) -> None:
        with opened(config) as destinations:
            new = Place(family, name, kind, _read(values))
            destinations.places.add(new, {one: _asked(one) for one in secrets}, getpass.getuser())
        click.echo(f"{family} {name} is added")

    return add


def _edit(family: Family) -> click.Command:
    @click.command("edit", help=f"Change keys of a {family}; the others stay. KEY= without a value takes one away.")
    @click.argument("name")
    @_values
    @click.option("--revision", type=integer, help="Refuse when it has another one by now. Default: the newest.")
    @config_option
    def edit(
        name: str, values: tuple[str, ...], secrets: tuple[str, ...], revision: int | None, config: Path | None
    ) -> None:
        with opened(config) as destinations:
            before = destinations.places.get(family, name)
            keys = nested({**flat(before.keys), **flat(_read(values))})
            new = Place(family, name, before.kind, keys, revision=revision or before.revision)
            after = destinations.places.edit(new, {one: _asked(one) for one in secrets}, getpass.getuser())
        click.echo(f"{family} {name} is changed (revision {after.revision})")

    return edit


def _remove(family: Family) -> click.Command:
    @click.command("remove", help=f"Remove a {family}. Refused while something waits for it or names it.")
    @click.argument("name")
    @config_option
    def remove(name: str, config: Path | None) -> None:
        with opened(config) as destinations:
            there = destinations.places.get(family, name)
            destinations.places.remove(family, name, there.revision, getpass.getuser())
        click.echo(f"{family} {name} is removed")

    return remove


def _kind(family: Family) -> Callable[[click.decorators.FC], click.decorators.FC]:
    told = f"`mricore-node {_BELOW[family]} keys` lists them."
    if family is Family.GROUP:
        return click.option("--kind", default=FAILOVER, show_default=True, help=told)
    return click.option("--kind", required=True, help=told)


def _values(command: click.decorators.FC) -> click.decorators.FC:
    said = click.option(
        "--set", "values", multiple=True, metavar="KEY=VALUE", help="One key; of a list, values with commas."
    )
    secret = click.option(
        "--secret", "secrets", multiple=True, metavar="KEY", help="password or token: asked for, and never shown."
    )
    return said(secret(command))


def _read(values: Iterable[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for one in values:
        key, separator, value = one.partition("=")
        if not separator or not key:
            raise Usage(f"--set {one}: write KEY=VALUE")
        found[key.strip()] = value
    return nested(found)


def _asked(secret: str) -> str:
    """From the terminal, or a line of standard input."""
    prompt: Callable[..., str] = click.prompt
    return prompt(secret, hide_input=True)
