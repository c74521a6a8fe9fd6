"""Charts as geometry: where marks, lines and ticks lie. Templates draw them as SVG; a table stands beside.

Everything is in units of the drawing's own box, which scales with the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 12.0, 10.0, 26.0


@dataclass(frozen=True)
class Mark:
    """One value."""

    x: float
    y: float
    words: str  # what it is, for who points at it
    address: str = ""  # where it leads
    high: bool = False


@dataclass(frozen=True)
class Tick:
    """A number or a day beside an axis."""

    at: float
    words: str


@dataclass(frozen=True)
class Chart:
    """A drawing of `width` by `height`; its values lie within left, right, top and bottom."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    marks: tuple[Mark, ...]
    line: str  # a path through all marks
    days: tuple[Tick, ...]
    numbers: tuple[Tick, ...]


@dataclass(frozen=True)
class Value:
    """One value of a chart."""

    at: datetime
    number: float
    words: str
    address: str = ""
    high: bool = False


def over_time(
    values: Sequence[Value],
    *,
    low: float | None = None,
    high: float | None = None,
    width: float = 640.0,
    height: float = 200.0,
    through: Sequence[tuple[datetime, float]] | None = None,
) -> Chart:
    """Values over time. Without `low` and `high` the axis begins and ends a little outside of them.

    The line goes through the values, or through what `through` says.
    """
    least, most = _span([one.number for one in values], low, high)
    begin, end = _times([one.at for one in values])
    left, right, top, bottom = _LEFT, width - _RIGHT, _TOP, height - _BOTTOM

    def x(at: datetime) -> float:
        return round(left + (right - left) * ((at - begin) / (end - begin)), 1)

    def y(number: float) -> float:
        part = (min(max(number, least), most) - least) / (most - least)
        return round(bottom - (bottom - top) * part, 1)

    marks = tuple(Mark(x(one.at), y(one.number), one.words, one.address, one.high) for one in values)
    corners = [(one.x, one.y) for one in marks] if through is None else [(x(at), y(number)) for at, number in through]
    line = " ".join(f"{'L' if number else 'M'}{across} {down}" for number, (across, down) in enumerate(corners))
    numbers = tuple(Tick(y(each), f"{each:g}") for each in _steps(least, most))
    days = tuple(Tick(x(at), f"{at:%m-%d}" if (end - begin).days < 300 else f"{at:%Y-%m}") for at in _days(begin, end))
    return Chart(width, height, left, right, top, bottom, marks, line if len(corners) > 1 else "", days, numbers)


def _span(numbers: Sequence[float], low: float | None, high: float | None) -> tuple[float, float]:
    least = min(numbers, default=0.0) if low is None else low
    most = max(numbers, default=1.0) if high is None else high
    room = (most - least) * 0.15 or abs(most) * 0.1 or 1.0
    least = least if low is not None else least - room
    most = most if high is not None else most + room
    return least, max(most, least + 1e-9)


def _times(moments: Sequence[datetime]) -> tuple[datetime, datetime]:
    now = datetime(2000, 1, 1, tzinfo=UTC)
    begin, end = min(moments, default=now), max(moments, default=now)
    if end - begin < timedelta(hours=1):
        return begin - timedelta(hours=12), end + timedelta(hours=12)
    return begin, end


def _steps(least: float, most: float) -> list[float]:
    """Three to six round numbers within."""
    raw = (most - least) / 4
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * each for each in (1, 2, 2.5, 5, 10) if size * each >= raw * 0.999)
    first = math.ceil(least / step - 1e-9) * step
    found = [round(first + step * number, 12) for number in range(12)]
    return [each for each in found if each <= most + step * 1e-9]


def _days(begin: datetime, end: datetime) -> list[datetime]:
    """Moments at most five, evenly apart; midnights where days are long enough apart."""
    days = max(1, math.ceil((end - begin) / timedelta(days=1) / 5))
    first = begin.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    found = []
    while first <= end:
        found.append(first)
        first += timedelta(days=days)
    return found or [begin]
