"""Tables and JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from node.core.ood import Oddity


def show(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as wide as its content needs."""
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(width=200, highlight=False, markup=False, soft_wrap=False).print(table)


def show_json(value: object) -> None:
    """Print JSON; dataclasses become objects, times ISO 8601."""
    click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def moment(at: datetime | None) -> str:
    """A time for people: local, to the second."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}" if at else ""


def likeness(oddity: Oddity) -> str:
    """How unlike the usual series one is, in a sentence."""
    by = f", by calibration {oddity.calibration[:16]}" if oddity.calibration else ""
    return f"likeness: percentile {oddity.percentile:g}, score {oddity.score:g}{by}"


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
