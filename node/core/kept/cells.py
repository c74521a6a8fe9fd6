"""A cell: the different values that the instances of one series hold in one element."""

from __future__ import annotations

import json
from dataclasses import dataclass

NOT_KEPT = "*"  # the key that says: more elements were received than are kept


@dataclass(frozen=True, slots=True)
class Raw:
    """A value as it was received, with what it takes to read it."""

    vr: str  # "": the file did not say (implicit VR)
    value: bytes | None  # None: it was there, and is not kept
    implicit: bool = False  # how the items of a sequence are encoded
    big_endian: bool = False
    charset: str = ""  # Specific Character Set, where the value is not plain ASCII


@dataclass(frozen=True, slots=True)
class Cell:
    """One element of one series. Several values stand for instances (or frames) that differ."""

    raws: tuple[Raw, ...]
    absent: int = 0  # instances that lack it, in whole or in one of their frames

    def to_text(self) -> str:
        """One line of ASCII; equal cells give equal lines."""
        return json.dumps([self.absent, *(_plain(raw) for raw in self.raws)], separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Cell:
        absent, *raws = json.loads(text)
        return cls(tuple(_raw(*raw) for raw in raws), absent)

    @property
    def cut(self) -> bool:
        """Whether there were values that are not kept."""
        return any(raw.value is None for raw in self.raws)


def _plain(raw: Raw) -> list[str | None]:
    value = None if raw.value is None else raw.value.decode("latin-1")
    how = ("i" if raw.implicit else "") + ("b" if raw.big_endian else "")
    if raw.charset:
        return [raw.vr, value, how, raw.charset]
    return [raw.vr, value, how] if how else [raw.vr, value]


def _raw(vr: str, value: str | None, how: str = "", charset: str = "") -> Raw:
    return Raw(vr, None if value is None else value.encode("latin-1"), "i" in how, "b" in how, charset)
