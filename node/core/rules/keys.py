"""Values of keys in a rule file, asked for by type. What is wrong is reported; reading goes on with a default."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from node.core.rules.folding import shown
from node.core.rules.kinds import days
from node.core.rules.mistakes import Report, did_you_mean
from node.core.rules.source import Entry, Listing, Scalar, Section, Tree, Typed

Word = TypeVar("Word", bound=StrEnum)


def known_keys(section: Section, known: Collection[str], report: Report) -> None:
    """Reports every key that means nothing here."""
    for entry in section.entries:
        if entry.key not in known:
            cure = did_you_mean(entry.key, known) or f"Keys are {', '.join(known)}"
            report.error(entry.line, f"there is no key {shown(entry.key)}", cure)


def plain(value: Tree, report: Report) -> tuple[Scalar, ...]:
    """The values of a list."""
    items = value.items if isinstance(value, Listing) else (value,)
    scalars = tuple(item for item in items if isinstance(item, Scalar))
    if len(scalars) != len(items) or not isinstance(value, Listing) or not items:
        report.error(value.line, "a list holds plain values", "Write `[HEAD, BRAIN]`")
    return scalars


def text_of(entry: Entry | None, report: Report) -> str | None:
    """A text that is not empty."""
    if entry is None:
        return None
    if not isinstance(entry.value, Scalar) or not entry.value.text.strip():
        report.error(entry.line, f"{entry.key} takes a text")
        return None
    return entry.value.text.strip()


def flag_of(entry: Entry | None, report: Report, *, default: bool) -> bool:
    """True or false."""
    if entry is None:
        return default
    if not isinstance(entry.value, Scalar) or entry.value.typed is not Typed.FLAG:
        report.error(entry.line, f"{entry.key} takes true or false")
        return default
    return entry.value.text.lower() == "true"


def word_of(entry: Entry | None, default: Word, report: Report) -> Word:
    """One of a few words."""
    if entry is None:
        return default
    words = tuple(type(default))
    text = entry.value.text if isinstance(entry.value, Scalar) else ""
    if text not in words:
        cure = did_you_mean(text, words) or f"Write one of {', '.join(words)}"
        report.error(entry.line, f"'{shown(text)}' is no {entry.key}", cure)
        return default
    return next(word for word in words if word == text)


def span_of(entry: Entry, report: Report, at_most: timedelta) -> timedelta | None:
    """A time that is longer than nothing: 30 min, 4 h, 2 days."""
    counted = days(entry.value.text.strip()) if isinstance(entry.value, Scalar) else None
    if counted is None:
        report.error(entry.line, f"{entry.key} takes a time", f"Write it like `{entry.key}: 30 min`")
        return None
    if not 0 < counted <= at_most.days:
        report.error(entry.line, f"{entry.key} is longer than nothing and at most {at_most.days} days")
        return None
    return timedelta(days=counted)


def line_of(section: Section, key: str) -> int:
    """Where the key stands; where it is missing, where the section begins."""
    entry = section.get(key)
    return entry.line if entry else section.line
