"""Measurements as a picture: horizontal bars in SVG, without a library. Opens in every browser."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_COLOURS = ("#3b6ea5", "#d98c3f", "#5b9a68", "#8c6bb1")
_HIGH, _GAP, _LEFT, _WIDE, _RIGHT = 18, 12, 150, 420, 110


class Bar(NamedTuple):
    """One bar of a group."""

    name: str
    value: float


def svg(title: str, unit: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """A picture of the groups, each with its heading; equal names have one colour. `unit` follows every number."""
    names = list(dict.fromkeys(bar.name for _, bars in groups for bar in bars))
    greatest = max((bar.value for _, bars in groups for bar in bars), default=0.0) or 1.0
    parts, y = [f'<text x="8" y="22" font-size="15" font-weight="bold">{escape(title)}</text>'], 44
    for heading, bars in groups:
        parts.append(f'<text x="8" y="{y + 13}" font-weight="bold">{escape(heading)}</text>')
        for bar in bars:
            wide = round(_WIDE * bar.value / greatest, 1)
            colour = _COLOURS[names.index(bar.name) % len(_COLOURS)]
            parts += [
                f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(bar.name)}</text>',
                f'<rect x="{_LEFT}" y="{y}" width="{wide}" height="{_HIGH - 4}" fill="{colour}"/>',
                f'<text x="{_LEFT + wide + 6}" y="{y + 12}">{bar.value:g} {escape(unit)}</text>',
            ]
            y += _HIGH
        y += _GAP
    size = f'width="{_LEFT + _WIDE + _RIGHT}" height="{y}"'
    style = 'font-family="sans-serif" font-size="12" fill="#222"'
    ground = '<rect width="100%" height="100%" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{ground}{"".join(parts)}</svg>\n'
