"""From the headers of a series to its cells.

Kept is what the rule language can reach: the elements of the data set and of the file meta information, private ones
by their creator, sequences with all their items, and what Enhanced objects hold in functional groups
(PS3.3 C.7.6.16.1.1) under the keyword itself, as `core.rules.places` looks it up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from node.core.encoded import UNREADABLE
from node.core.kept.cells import NOT_KEPT, Cell, Raw
from node.core.kept.sequences import TooLargeError, encoded_items
from node.core.rules import FactValue
from node.core.rules.charset import ESCAPE

VALUE_AT_MOST = 4096  # bytes of one value
SEQUENCE_AT_MOST = 16384  # bytes of one sequence
CELL_AT_MOST = 4096  # bytes of all values of a cell but the first
VALUES_AT_MOST = 256  # in a cell
UIDS_AT_MOST = 4  # nobody asks a rule for the two hundredth SOP Instance UID
CUT_TO = 8  # values that are left of a cell with too many
KEYS_AT_MOST = 2000
SERIES_AT_MOST = 512 * 1024  # bytes

_CREATOR_AT_MOST = 64
_CHARACTER_SET, _SHARED, _PER_FRAME = 0x00080005, 0x52009229, 0x52009230
_PIXELS = 0x7FE0
_BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})

Element = DataElement | RawDataElement
Token = tuple[object, ...]  # what makes an element what it is


class _Gathered:
    """The values of one element so far."""

    __slots__ = ("cut", "holders", "raws", "size")

    def __init__(self) -> None:
        self.raws: dict[Raw, None] = {}
        self.size, self.holders, self.cut = 0, 0, False

    def add(self, raw: Raw) -> None:
        if raw in self.raws or self.cut:
            return
        size = len(raw.value or b"")
        most = UIDS_AT_MOST if raw.vr == "UI" else VALUES_AT_MOST
        if self.raws and (self.size + size > CELL_AT_MOST or len(self.raws) >= most):
            self.cut = True
            self.raws = dict.fromkeys(list(self.raws)[:CUT_TO])
            return
        self.raws[raw] = None
        self.size += size

    def cell(self, instances: int) -> Cell:
        raws = (*self.raws, *([Raw("UN", None)] if self.cut else []))
        return Cell(raws, instances - self.holders)


def kept_cells(headers: Sequence[Dataset]) -> dict[str, str]:
    """Key → cell, for all instances of a series. Never raises; at most SERIES_AT_MOST bytes and a little."""
    gathered: dict[str, _Gathered] = {}
    last: dict[str, Token] = {}
    for ds in headers:
        for key, raws, everywhere in _instance(ds, last):
            one = gathered.get(key)
            if one is None:
                if len(gathered) >= KEYS_AT_MOST:
                    key = NOT_KEPT
                one = gathered.setdefault(key, _Gathered())
            one.holders += everywhere
            for raw in raws:
                one.add(raw)
    return _bounded(gathered, len(headers))


def kept_facts(values: Mapping[str, FactValue]) -> dict[str, str]:
    """Name → value, of the facts that are known."""
    return {name: json.dumps(value) for name, value in values.items() if value is not None}


def _bounded(gathered: Mapping[str, _Gathered], instances: int) -> dict[str, str]:
    cells: dict[str, str] = {}
    left = SERIES_AT_MOST
    for key, one in sorted(gathered.items(), key=lambda item: item[1].size):
        left -= one.size
        cell = one.cell(instances) if left >= 0 else Cell((Raw("UN", None),), instances - one.holders)
        cells[key] = cell.to_text()
    return cells


def _instance(ds: Dataset, last: dict[str, Token]) -> Iterator[tuple[str, Sequence[Raw], bool]]:
    """Key, values, and whether the instance holds the element in all places. What the instance before held too, as
    most of it is, needs no second look.
    """
    charset = _charset(ds)
    meta = getattr(ds, "file_meta", None)
    for top in (meta, ds) if isinstance(meta, Dataset) else (ds,):
        creators = _creators(top)
        for tag, element in list(top.items()):
            key = _key(int(tag), creators)
            if not key or (top is ds) is (tag.group == 2):
                continue
            token = _token(element, charset)
            if token is not None and last.get(key) == token:
                yield key, (), True
                continue
            if token is not None:
                last[key] = token
            yield key, (_raw(element, charset),), True
    if _SHARED in ds or _PER_FRAME in ds:
        yield from _functional(ds, charset)


def _token(element: Element, charset: str) -> Token | None:
    if isinstance(element, DataElement):
        return None
    return element.VR, element.value, element.is_little_endian, element.is_implicit_VR, charset


def _functional(ds: Dataset, charset: str) -> Iterator[tuple[str, list[Raw], bool]]:
    """What stands in functional groups and not at the top: in the shared ones, else frame by frame."""
    shared: dict[int, list[Element]] = {}
    for frame in _frames(ds, _SHARED):
        for tag, elements in frame.items():
            shared.setdefault(tag, []).extend(elements)
    frames = _frames(ds, _PER_FRAME)
    by_frame: dict[int, list[Element]] = {}
    holders: dict[int, int] = {}
    for frame in frames:
        for tag, elements in frame.items():
            if tag not in shared:
                by_frame.setdefault(tag, []).extend(elements)
                holders[tag] = holders.get(tag, 0) + 1
    for found in (shared, by_frame):
        for tag, elements in found.items():
            if tag not in ds and not tag >> 16 & 1:
                whole = found is shared or holders[tag] == len(frames)
                distinct = dict.fromkeys(_raw(element, charset) for element in elements)
                yield _public(tag), list(distinct), whole


def _frames(ds: Dataset, groups: int) -> list[dict[int, list[Element]]]:
    """For each item of the functional groups, the elements of its macros."""
    frames: list[dict[int, list[Element]]] = []
    for item in _items(ds, groups):
        found: dict[int, list[Element]] = {}
        for tag in list(item.keys()):
            for macro in _items(item, int(tag)):
                for inner, element in macro.items():
                    found.setdefault(int(inner), []).append(element)
        frames.append(found)
    return frames


def _items(ds: Dataset, tag: int) -> list[Dataset]:
    if tag not in ds:
        return []
    try:
        value = ds[tag].value
        return list(value) if isinstance(value, Items) else []
    except (*UNREADABLE, Warning):
        return []


def _creators(ds: Dataset) -> dict[int, str]:
    """Group and block → creator, the first block of each (PS3.5 section 7.8.1)."""
    blocks: dict[int, str] = {}
    taken: set[tuple[int, str]] = set()
    for tag in sorted(tag for tag, _ in ds.items() if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF):
        value = ds.get_item(tag, keep_deferred=True).value
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
        creator = text.strip(" \0") if isinstance(text, str) else ""
        if creator and len(creator) <= _CREATOR_AT_MOST and (tag >> 16, creator) not in taken:
            taken.add((tag >> 16, creator))
            blocks[int(tag)] = creator
    return blocks


def _key(tag: int, creators: Mapping[int, str]) -> str:
    """ "" for what no rule can name."""
    group, element = tag >> 16, tag & 0xFFFF
    if not group & 1:
        return "" if group == _PIXELS or (element == 0 and group != 2) else _public(tag)
    creator = creators.get(group << 16 | element >> 8) if element >= 0x1000 else None
    return private_key(group, element, creator) if creator else ""


@lru_cache(maxsize=8192)
def _public(tag: int) -> str:
    return f"{tag:08X}"


def private_key(group: int, element: int, creator: str) -> str:
    """The column of a private element, wherever its creator's block lies."""
    return f"{group:04X}xx{element & 0xFF:02X} {creator}"


def _raw(element: Element, charset: str) -> Raw:
    if isinstance(element, DataElement):
        return _converted(element, charset)
    value, vr = element.value, element.VR or ""
    implicit, big = bool(element.is_implicit_VR), not element.is_little_endian
    if value is None or vr in _BINARY_VRS:
        there = bool(element.length if value is None else value)
        kept = (None if value is None else b"\1") if there else b""
        return Raw(vr, kept)
    if len(value) > (SEQUENCE_AT_MOST if _is_sequence(vr, int(element.tag)) else VALUE_AT_MOST):
        return Raw(vr, None)
    return Raw(vr, bytes(value), implicit and vr in ("", "UN", "SQ"), big, _needed(charset, value))


@lru_cache(maxsize=8192)
def _is_sequence(vr: str, tag: int) -> bool:
    if vr == "SQ" or vr not in ("", "UN"):
        return vr == "SQ"
    try:
        return dictionary_VR(tag) == "SQ"
    except KeyError:
        return False


def _converted(element: DataElement, charset: str) -> Raw:
    """An element that pydicom read already: sequences of undefined length, and data sets built in memory."""
    try:
        if element.VR == "SQ":
            value, implicit, big = encoded_items(element.value, SEQUENCE_AT_MOST)
            return Raw("SQ", value, implicit, big, _needed(charset, value))
        return _text(element)
    except (*UNREADABLE, TooLargeError, Warning):
        return Raw(str(element.VR), None)


def _text(element: DataElement) -> Raw:
    value, vr = element.value, str(element.VR)
    if isinstance(value, bytes):
        return Raw(vr, (b"\1" if value else b"") if vr in _BINARY_VRS else value[:VALUE_AT_MOST])
    if value is None:
        return Raw(vr, b"")
    parts = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if parts and all(isinstance(part, int | float) and not isinstance(part, str) for part in parts):
        vr = "DS"
    text = "\\".join(str(part) for part in parts).encode("utf-8")
    return Raw(vr, text if len(text) <= VALUE_AT_MOST else None, charset="" if text.isascii() else "ISO_IR 192")


def _needed(charset: str, value: bytes) -> str:
    """Plain ASCII reads the same in every character set; an escape sequence (PS3.5 section 6.1.2.5) is none."""
    return "" if value.isascii() and ESCAPE not in value else charset


def _charset(ds: Dataset) -> str:
    element = ds.get_item(_CHARACTER_SET, keep_deferred=True) if _CHARACTER_SET in ds else None
    value = element.value if element is not None else None
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\\".join("" if term is None else str(term) for term in value)
    return value if isinstance(value, str) else ""
