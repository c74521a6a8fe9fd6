"""`mricore-node destinations`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from node.adapters.database import Database
from node.adapters.database import deliveries as rows
from node.app import build_destination, utc_now
from node.cli import config_option, json_option
from node.cli.tables import moment, show, show_json
from node.config import DestinationSettings, Settings, load
from node.core.breaker import CLOSED, clock_time, sentence
from node.core.windows import Window, closed_until
from node.errors import Usage
from node.pipeline.examination import examine


@click.group()
def destinations() -> None:
    """Where results go, what waits for them, and what they are able to."""


@destinations.command("list")
@config_option
@json_option
def list_destinations(config: Path | None, as_json: bool) -> None:
    """List destinations: what waits for each since when, and when it is tried next."""
    settings = load(config)
    database = _database(settings)
    try:
        lines = _lines(settings, database)
    finally:
        database.close()
    if as_json:
        show_json(lines)
        return
    show(("destination", "kind", "state", "tested", "takes"), [tuple(line.values())[:5] for line in lines])


@destinations.command("test")
@click.argument("name")
@config_option
@json_option
def test_destination(name: str, config: Path | None, as_json: bool) -> None:
    """Test NAME with a synthetic report: asked for a sign of life, stored, found, and removed if that is allowed.

    What was seen is kept and shown by `destinations list`. Exit status 1 when it does not work.
    """
    settings = load(config)
    one = _named(settings, name)
    with tempfile.TemporaryDirectory() as folder:
        destination = build_destination(one, settings.node.ae_title)
        card = examine(destination, settings.node.ae_title, Path(folder), removes=one.remove_test_object)
    seen = {**vars(card), "forms": card.forms}
    database = _database(settings)
    try:
        rows.keep_capability(database, name, seen, utc_now())
    finally:
        database.close()
    if as_json:
        show_json(seen)
    else:
        show(("", ""), [(key, value) for key, value in seen.items() if key != "takes" and value not in ("", ())])
        if card.takes:
            show(("SOP class", "transfer syntaxes"), [(key, ", ".join(value)) for key, value in card.takes.items()])
    if not card.works:
        raise click.exceptions.Exit(1)


def _lines(settings: Settings, database: Database) -> list[dict[str, object]]:
    breakers, queued, tested = (
        rows.known_breakers(database), rows.all_queued(database), rows.capabilities(database)
    )  # fmt: skip
    now = utc_now().astimezone()
    lines: list[dict[str, object]] = []
    for one in settings.destination:
        breaker = breakers.get(one.name, CLOSED)
        names = [one.name, *(group.name for group in settings.destination_group if one.name in group.members)]
        number = sum(queued[name][0] for name in names if name in queued)
        maintenance = closed_until([Window.read(window) for window in one.windows], now)
        if maintenance:
            state = f"maintenance until {clock_time(maintenance, now)}, {number} queued"
        elif breaker.is_open:
            state = sentence(one.name, breaker, number, now)
        else:
            state = f"{number} queued" if number else "nothing waits"
        at, card = tested.get(one.name, (None, {}))
        seen = f"{moment(at)} {'works' if card.get('works') else 'does not work'}" if at else "never"
        lines.append(
            {
                "destination": one.name,
                "kind": one.kind,
                "state": state,
                "tested": seen,
                "takes": ", ".join(card.get("takes", {})),
                "queued": number,
                "failures": breaker.failures,
                "since": breaker.since,
                "next_try_at": breaker.next_try_at,
                "card": card,
            }
        )
    return lines


def _named(settings: Settings, name: str) -> DestinationSettings:
    found = next((one for one in settings.destination if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in settings.destination) or "none"
        raise Usage(f"there is no destination {name}: known are {known}")
    return found


def _database(settings: Settings) -> Database:
    database = Database(settings.database_url)
    database.migrate()
    return database
