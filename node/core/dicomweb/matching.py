"""The kinds of matching (PS3.4 C.2.2.2), and what each says of a value. The index answers the same in SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from node.core.dicomweb.names import fits


@dataclass(frozen=True)
class AnyOf:
    """The value is one of these: single value and UID list matching."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Pattern:
    """Wild card matching: * stands for any letters, ? for one."""

    text: str


@dataclass(frozen=True)
class NamePattern:
    """Literal matching of a person name: some component group, folded, follows the pattern."""

    text: str  # folded


@dataclass(frozen=True)
class Fuzzy:
    """Fuzzy matching of a person name, see names.py."""

    words: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Range:
    """Both ends belong to it; "" is open. Dates are YYYYMMDD, times HHMMSS.FFFFFF, together one after the other."""

    first: str
    last: str


Match = AnyOf | Pattern | NamePattern | Fuzzy | Range


def matches(match: Match, value: str) -> bool:
    """Whether a value matches. Names are given as `names.groups` writes them, except for Fuzzy."""
    if isinstance(match, AnyOf):
        return value in match.values
    if isinstance(match, Pattern):
        return _expression(match.text).fullmatch(value) is not None
    if isinstance(match, NamePattern):
        return any(_expression(match.text).fullmatch(group) for group in value.strip("=").split("="))
    if isinstance(match, Fuzzy):
        return fits(match.words, value)
    return bool(value) and match.first <= value and (not match.last or value <= match.last)


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str]:
    written = {"*": ".*", "?": "."}
    return re.compile("".join(written.get(letter) or re.escape(letter) for letter in pattern), re.DOTALL)
