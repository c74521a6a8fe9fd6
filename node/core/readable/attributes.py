"""The attributes of an object as a tree: names of the standard (PS3.6), values as text, sequences with their items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_description

from node.core.dicomweb.model import Json

ATTRIBUTES_AT_MOST = 3000  # of a whole tree
ITEMS_AT_MOST = 12  # of one sequence that are shown
DEPTH_AT_MOST = 8
VALUES_AT_MOST = 24
CHARACTERS_AT_MOST = 400  # of a value

HIDDEN = "•••"
_NAMES_A_PATIENT = frozenset(
    f"{group}{element}"
    for group, elements in {
        "0008": ("0050", "0090", "0092", "0094", "0096", "1048", "1050", "1060", "1070"),
        "0020": ("0010", "4000"),
        "0032": ("1032", "1033", "1060", "1070", "4000"),
        "0038": ("0010", "0300", "0400", "0500", "4000"),
        "0040": ("0241", "0253", "0254", "0275", "1001", "1003", "2016", "2017", "A123", "A075"),
    }.items()
    for element in elements
)


@dataclass(frozen=True)
class Attribute:
    """One attribute. Of a sequence `items` holds those that are shown and `more` is how many are not."""

    tag: str  # (gggg,eeee)
    name: str
    vr: str
    value: str
    items: tuple[tuple[Attribute, ...], ...] = ()
    more: int = 0


@dataclass(frozen=True)
class Tree:
    """The attributes of an object."""

    attributes: tuple[Attribute, ...]
    cut: bool  # whether something was left out, because there is so much


def tree(model: Json, *, hides_patients: bool = False) -> Tree:
    """From the DICOM JSON Model. Never raises, whatever the model holds."""
    reader = _Reader(hides_patients=hides_patients)
    return Tree(reader.attributes(model, 0), reader.cut)


class _Reader:
    def __init__(self, *, hides_patients: bool) -> None:
        self._hides, self._left = hides_patients, ATTRIBUTES_AT_MOST
        self.cut = False

    def attributes(self, model: object, depth: int) -> tuple[Attribute, ...]:
        found: list[Attribute] = []
        for tag, element in sorted(model.items()) if isinstance(model, Mapping) else ():
            if self._left <= 0:
                self.cut = True
                break
            self._left -= 1
            if isinstance(element, Mapping):
                found.append(self._attribute(str(tag), element, depth))
        return tuple(found)

    def _attribute(self, tag: str, element: Mapping[str, Any], depth: int) -> Attribute:
        vr, written, name = str(element.get("vr", "")), f"({tag[:4]},{tag[4:8]})", _name(tag)
        if vr == "SQ":
            items, more = self._items(element.get("Value"), depth)
            return Attribute(written, name, vr, "", items, more)
        hidden = self._hides and (tag[:4] == "0010" or vr == "PN" or tag[:8] in _NAMES_A_PATIENT)
        value = _text(element)
        return Attribute(written, name, vr, HIDDEN if hidden and value else value)

    def _items(self, values: object, depth: int) -> tuple[tuple[tuple[Attribute, ...], ...], int]:
        given = values if isinstance(values, Sequence) and not isinstance(values, str) else ()
        shown = given[:ITEMS_AT_MOST] if depth < DEPTH_AT_MOST else ()
        items = []
        for item in shown:
            if self._left <= 0:
                break
            items.append(self.attributes(item, depth + 1))
        self.cut = self.cut or len(items) < len(given)
        return tuple(items), len(given) - len(items)


@lru_cache(maxsize=8192)
def _name(tag: str) -> str:
    try:
        return dictionary_description(int(tag, 16))
    except (KeyError, ValueError):
        return "Private" if tag[3:4] in "13579BDFbdf" else "Unknown"


def _text(element: Mapping[str, Any]) -> str:
    if "BulkDataURI" in element:
        return "…"  # pixels and the like
    if "InlineBinary" in element:
        return cut(f"{element['InlineBinary']}")
    values = element.get("Value")
    if not isinstance(values, Sequence) or isinstance(values, str):
        return ""
    told = [_one(value) for value in values[:VALUES_AT_MOST]]
    if len(values) > VALUES_AT_MOST:
        told.append(f"… ({len(values)})")
    return cut(" \\ ".join(told))


def _one(value: object) -> str:
    if isinstance(value, Mapping):  # a person name and its groups
        return "=".join(str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:g}"
    return "" if value is None else str(value)


def cut(text: str) -> str:
    """So long as is shown of one value."""
    return text if len(text) <= CHARACTERS_AT_MOST else text[: CHARACTERS_AT_MOST - 1] + "…"
