"""Kleene's three truth values.

A header that lacks a value says neither yes nor no. *Unknown* is kept as a value of its own until a rule decides
what to do with it, so that a missing attribute is never false by accident.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Truth(StrEnum):
    """True, false, or not to be known from what was received."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, holds: bool) -> Truth:
        """The truth value of a plain yes or no."""
        return cls.TRUE if holds else cls.FALSE


def all_of(truths: Iterable[Truth]) -> Truth:
    """True when every part is; false as soon as one part is; of nothing, true."""
    seen = set(truths)
    if Truth.FALSE in seen:
        return Truth.FALSE
    return Truth.UNKNOWN if Truth.UNKNOWN in seen else Truth.TRUE


def any_of(truths: Iterable[Truth]) -> Truth:
    """True as soon as one part is; false when every part is; of nothing, false."""
    seen = set(truths)
    if Truth.TRUE in seen:
        return Truth.TRUE
    return Truth.UNKNOWN if Truth.UNKNOWN in seen else Truth.FALSE


def negated(truth: Truth) -> Truth:
    """The opposite; unknown stays unknown."""
    return _OPPOSITE[truth]


_OPPOSITE = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE, Truth.UNKNOWN: Truth.UNKNOWN}
