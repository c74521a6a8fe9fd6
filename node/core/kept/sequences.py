"""The items of a sequence as bytes again (PS3.5 section 7.5), for those that were taken apart while reading."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset

DEPTH_AT_MOST = 16

_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})


class TooLargeError(ValueError):
    """Not kept, for its size or its depth."""


def encoded_items(items: Iterable[Dataset], at_most: int) -> tuple[bytes, bool, bool]:
    """The items, whether their VR is implicit, whether they are big endian. Raises TooLargeError."""
    given = list(items)
    first = next(_raws(given, 0), None)
    implicit = bool(first.is_implicit_VR) if first else False
    big = not first.is_little_endian if first else False
    return _sequence(given, _Form(implicit, ">" if big else "<", at_most), 0), implicit, big


class _Form:
    """How to write, and how much."""

    def __init__(self, implicit: bool, order: str, left: int) -> None:
        self.implicit, self.order, self.left = implicit, order, left

    def taken(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise TooLargeError


def _sequence(items: Iterable[Dataset], form: _Form, depth: int) -> bytes:
    if depth > DEPTH_AT_MOST:
        raise TooLargeError
    parts: list[bytes] = []
    for item in items:
        content = b"".join(_element(int(tag), element, form, depth) for tag, element in sorted(item.items()))
        parts.append(struct.pack(f"{form.order}HHI", 0xFFFE, 0xE000, len(content)) + content)
        form.taken(8)
    return b"".join(parts)


def _element(tag: int, element: DataElement | RawDataElement, form: _Form, depth: int) -> bytes:
    vr, value = _content(element, form, depth)
    if len(value) % 2:
        value += b"\0" if vr in _LONG or vr == "UI" else b" "
    form.taken(len(value) + 12)
    at = struct.pack(f"{form.order}HH", tag >> 16, tag & 0xFFFF)
    if form.implicit:
        return at + struct.pack(f"{form.order}I", len(value)) + value
    if vr in _LONG or len(value) > 0xFFFF:
        name = vr if vr in _LONG else "UN"
        return at + name.encode() + struct.pack(f"{form.order}HI", 0, len(value)) + value
    return at + vr.encode() + struct.pack(f"{form.order}H", len(value)) + value


def _content(element: DataElement | RawDataElement, form: _Form, depth: int) -> tuple[str, bytes]:
    if isinstance(element, RawDataElement):
        if element.value is None and element.length:
            raise TooLargeError
        return element.VR or "UN", bytes(element.value or b"")
    if element.VR == "SQ":
        return "SQ", _sequence(element.value, form, depth + 1)
    return _text(element)


def _text(element: DataElement) -> tuple[str, bytes]:
    """A value that was read already: SpecificCharacterSet, and items built in memory."""
    value, vr = element.value, str(element.VR)
    if isinstance(value, bytes):
        return vr, value
    parts = (
        [] if value is None else [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
    )
    if parts and all(isinstance(part, int | float) and not isinstance(part, str) for part in parts):
        vr = "DS"
    return vr, "\\".join(str(part) for part in parts).encode("ascii")


def _raws(items: Iterable[Dataset], depth: int) -> Iterator[RawDataElement]:
    if depth > DEPTH_AT_MOST:
        raise TooLargeError
    for item in items:
        for element in item.values():
            if isinstance(element, RawDataElement):
                yield element
            elif element.VR == "SQ":
                yield from _raws(element.value, depth + 1)
