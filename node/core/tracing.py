"""Traces: which one a series has, and what may be said in it.

A series is one trace, whoever works on it and however often it is started anew: its identifier is made of the
SeriesInstanceUID alone, so it can be worked out from the row of the series by anybody, and needs no column of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

# What a span may say: numbers, and names from the configuration. Nothing of a header can get in.
ATTRIBUTES = frozenset(
    {
        "attempt", "channel", "destination", "disposition", "instances", "job", "model", "model_version", "priority",
        "results", "rule", "rule_set", "slices", "state", "version",
    }
)  # fmt: skip
Value = str | int | float | bool


@dataclass(frozen=True)
class Whose:
    """A version of a series."""

    series_instance_uid: str
    version: int = 1

    @property
    def trace_id(self) -> int:
        """Of the series, 128 bits, never 0."""
        return _number(16, "trace", self.series_instance_uid)

    @property
    def span_id(self) -> int:
        """Of the span that all others of this version hang on, 64 bits, never 0."""
        return _number(8, "span", self.series_instance_uid, str(self.version))


def hexadecimal(trace_id: int) -> str:
    """As collectors show it: 32 digits."""
    return f"{trace_id:032x}"


def is_sampled(trace_id: int, share: float) -> bool:
    """Whether a trace is among the share (0 to 1) that is kept: the same for every span of it."""
    return (trace_id & (1 << 64) - 1) < share * (1 << 64)


def kept(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    """The attributes that may be told, under their names in a collector."""
    return {f"mricore.{name}": value for name, value in attributes.items() if name in ATTRIBUTES and value is not None}


def _number(size: int, *parts: str) -> int:
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:size], "big") or 1
