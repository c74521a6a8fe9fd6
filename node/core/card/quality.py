"""The measured quality of a model, as its card tells it. Which figures there are is the card's own matter."""

from __future__ import annotations

from collections.abc import Mapping

_ROWS_AT_MOST, _FIGURES_AT_MOST, _CHARACTERS_AT_MOST = 100, 24, 200

Row = tuple[tuple[str, str], ...]


def read_quality(raw: object) -> tuple[Row, ...]:
    """Rows of (what, value) as text; what is not a list of such rows is passed over: nothing depends on it."""
    rows = raw if isinstance(raw, list) else []
    return tuple(
        tuple((_text(name), _text(value)) for name, value in [*row.items()][:_FIGURES_AT_MOST])
        for row in rows[:_ROWS_AT_MOST]
        if isinstance(row, Mapping)
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)[:_CHARACTERS_AT_MOST]
