"""`mricore-node destinations list` and `show`."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli import config_option, json_option
from node.cli.destinations.opening import opened
from node.cli.tables import moment, show, show_json
from node.pipeline.destinations import Standing


@click.command("list")
@config_option
@json_option
def list_destinations(config: Path | None, as_json: bool) -> None:
    """List destinations: what waits for each since when, and when it is tried next."""
    with opened(config) as destinations:
        lines = [_line(one) for one in destinations.standings()]
    if as_json:
        show_json(lines)
        return
    show(("destination", "kind", "from", "state", "tested", "takes"), [tuple(line.values())[:6] for line in lines])


@click.command("show")
@click.argument("name")
@config_option
@json_option
def show_destination(name: str, config: Path | None, as_json: bool) -> None:
    """Show NAME: its keys, without secrets, and the card of its last test."""
    with opened(config) as destinations:
        one = destinations.standing(name)
    if as_json:
        show_json({**_line(one), "keys": one.place.keys, "secrets": one.place.secrets, "revision": one.place.revision})
        return
    show(("", ""), [(key, value) for key, value in _line(one).items() if key != "card" and value not in ("", None, 0)])
    show(("key", "value"), one.place.keys.items())
    show(("test", "", "", "cure"), [tuple(step.values())[:4] for step in one.card.get("steps", ())])


def _line(one: Standing) -> dict[str, object]:
    card = one.card
    seen = f"{moment(one.tested_at)} {'works' if card.get('works') else 'does not work'}" if one.tested_at else "never"
    return {
        "destination": one.place.name,
        "kind": one.place.kind,
        "origin": one.place.origin,
        "state": one.told,
        "tested": seen,
        "takes": ", ".join(card.get("takes", {})),
        "queued": one.queued,
        "failures": one.breaker.failures,
        "since": one.breaker.since,
        "next_try_at": one.breaker.next_try_at,
        "card": card,
    }
