"""Reading single values of a header that may hold anything.

Values are parsed from their stored bytes, not through pydicom's conversion, which raises or warns on dirty
values and spends time without bound on some of them. What is not a clean value reads as absent.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from node.core.dicom.text import decode, encodings
from node.core.encoded import UNREADABLE

LONGEST = 4096  # bytes of one value that are looked at
_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}


@lru_cache(maxsize=1024)
def _tag(keyword: str | BaseTag) -> BaseTag:
    return Tag(keyword)


class Elements:
    """The elements of one dataset; every read returns a clean value or nothing."""

    def __init__(self, ds: Dataset, names: Sequence[str] | None = None) -> None:
        self._ds = ds
        self._creators: dict[tuple[int, str], int] | None = None
        self._names = tuple(names or encodings(self.texts("SpecificCharacterSet")))

    def has(self, keyword: str) -> bool:
        """Whether the element is there with a value of some length."""
        element = self._element(_tag(keyword))
        return element is not None and element.value not in (None, b"", "")

    def text(self, keyword: str, tag: BaseTag | None = None) -> str:
        """The whole value decoded by SpecificCharacterSet, "" when absent."""
        value = self._value(tag or _tag(keyword))
        return decode(value, self._names) if isinstance(value, bytes) else _joined(value)

    def texts(self, keyword: str) -> tuple[str, ...]:
        """The values of a CS, UI, SH or the like, stripped, () when absent."""
        value = self._value(_tag(keyword))
        whole = value.decode("latin-1") if isinstance(value, bytes) else _joined(value)
        return tuple(part.strip(" \0") for part in whole.split("\\")) if whole.strip(" \0") else ()

    def first(self, keyword: str) -> str:
        """The first value as text, "" when absent."""
        return next(iter(self.texts(keyword)), "")

    def numbers(self, keyword: str | BaseTag, vr: str) -> tuple[float, ...]:
        """The values of a DS, IS, US … element; () when absent or when any is not a finite number.

        `vr` says how to read bytes whose VR is not in the file (implicit VR, or UN).
        """
        tag = _tag(keyword)
        element = self._element(tag)
        value = self._value(tag)
        if not isinstance(value, bytes):
            return _finite(value if isinstance(value, Sequence) and not isinstance(value, str) else [value])
        stored = getattr(element, "VR", None)
        vr = stored if stored and stored != "UN" else vr
        if vr in _BINARY:
            return _unpacked(value, _BINARY[vr], getattr(element, "is_little_endian", True))
        return _finite(value.decode("latin-1").strip(" \0").split("\\"))

    def number(self, keyword: str | BaseTag, vr: str) -> float | None:
        """The first of `numbers`."""
        return next(iter(self.numbers(keyword, vr)), None)

    def integer(self, keyword: str | BaseTag, vr: str) -> int | None:
        """The first of `numbers` when it is a whole number."""
        value = self.number(keyword, vr)
        return int(value) if value is not None and value == int(value) else None

    def private(self, group: int, creator: str, offset: int) -> BaseTag:
        """The tag of a private element (PS3.5 7.8.1); block 10 when the creators were removed."""
        if self._creators is None:
            self._creators = self._read_creators()
        block = self._creators.get((group, creator), 0x10)
        if block == 0x10 and self._creators.get((group, ""), 0) and (group, creator) not in self._creators:
            return Tag(0xFFFFFFFF)  # the block is somebody else's: an address that is never used
        return Tag(group, (block << 8) | offset)

    def items(self, keyword: str, at_most: int = 1) -> tuple[Elements, ...]:
        """The first items of a sequence; () when it is absent or cannot be read."""
        if _tag(keyword) not in self._ds:
            return ()
        try:
            value = self._ds[keyword].value
        except UNREADABLE:
            return ()
        found = list(value)[:at_most] if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []
        return tuple(Elements(item, self._names) for item in found if isinstance(item, Dataset))

    def length(self, keyword: str) -> int:
        """How many items a sequence has; 0 when it is absent or cannot be read."""
        if _tag(keyword) not in self._ds:
            return 0
        try:
            return len(self._ds[keyword].value or ())
        except UNREADABLE:
            return 0

    def _element(self, tag: BaseTag) -> DataElement | RawDataElement | None:
        return self._ds.get_item(tag, keep_deferred=True) if tag in self._ds else None

    def _value(self, tag: BaseTag) -> object:
        element = self._element(tag)
        value = element.value if element is not None else None
        return value[:LONGEST] if isinstance(value, bytes | str) else value

    def _read_creators(self) -> dict[tuple[int, str], int]:
        found: dict[tuple[int, str], int] = {}
        for tag in self._ds.keys():  # noqa: SIM118 # iterating a Dataset converts every element
            if tag.group % 2 and 0x10 <= tag.element <= 0xFF:
                value = self._value(tag)
                name = value.decode("latin-1") if isinstance(value, bytes) else _joined(value)
                found.setdefault((tag.group, name.strip(" \0")), tag.element)
                found[tag.group, ""] = 1
        return found


def _joined(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return "\\".join(str(part) for part in value[:64])
    return str(value)[:LONGEST].rstrip(" \0")


def _finite(values: Sequence[object]) -> tuple[float, ...]:
    found: list[float] = []
    for value in values[:64]:
        number = _number(value)
        if number is None:
            return ()
        found.append(number)
    return tuple(found)


def _number(value: object) -> float | None:
    text = str(value).strip(" \0")
    if not text or len(text) > 64 or "_" in text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _unpacked(value: bytes, code: str, little_endian: bool) -> tuple[float, ...]:
    size = struct.calcsize(code)
    count = min(len(value) // size, 64)
    unpacked = struct.unpack(f"{'<' if little_endian else '>'}{count}{code}", value[: count * size])
    return _finite(cast("tuple[object, ...]", unpacked))
