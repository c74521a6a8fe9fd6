"""The content of a Structured Report (PS3.3 C.17.3) as a tree of sentences: what is said, of what, in which unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.core.dicomweb.model import Json
from node.core.readable.attributes import HIDDEN, cut

ITEMS_AT_MOST = 1500  # of a whole document
DEPTH_AT_MOST = 16
_CHILDREN_AT_MOST = 200

# Attributes, as the model names them.
_VALUE_TYPE, _CONCEPT, _CHILDREN, _RELATION = "0040A040", "0040A043", "0040A730", "0040A010"
_MEANING, _CODE, _SCHEME = "00080104", "00080100", "00080102"
_MEASURED, _NUMBER, _UNITS = "0040A300", "0040A30A", "004008EA"
_CODE_VALUE, _TEXT, _UID, _PERSON = "0040A168", "0040A160", "0040A124", "0040A123"
_DATETIME, _DATE, _TIME = "0040A120", "0040A121", "0040A122"
_REFERENCED, _INSTANCE, _FRAMES, _SEGMENTS = "00081199", "00081155", "00081160", "0062000B"
_GRAPHIC, _POINTS = "00700023", "00700022"


@dataclass(frozen=True)
class Content:
    """One content item."""

    concept: str  # what it is of; "" where the item names nothing
    value: str  # what is said; "" of a container
    kind: str  # value type (PS3.3 C.17.3.2.1): NUM, CODE, TEXT …
    relation: str  # to what stands above it, in words
    code: str  # of the value, or of the concept: "118565006 SCT"
    children: tuple[Content, ...] = ()
    more: int = 0  # children that are not shown


def content(model: Json, *, hides_patients: bool = False) -> Content | None:
    """The root of a report; None where the object has no content. Never raises, whatever the model holds."""
    if _CHILDREN not in model and _VALUE_TYPE not in model:
        return None
    return _Reader(hides_patients=hides_patients).item(model, 0)


class _Reader:
    def __init__(self, *, hides_patients: bool) -> None:
        self._hides, self._left = hides_patients, ITEMS_AT_MOST

    def item(self, model: Mapping[str, Any], depth: int) -> Content:
        self._left -= 1
        kind = _first(model, _VALUE_TYPE)
        concept = _item(model, _CONCEPT)
        says = _VALUES.get(kind, _nothing)(model)
        if self._hides and kind == "PNAME" and says:
            says = HIDDEN
        given = [one for one in _values(model, _CHILDREN) if isinstance(one, Mapping)]
        children: list[Content] = []
        for one in given[:_CHILDREN_AT_MOST] if depth < DEPTH_AT_MOST else ():
            if self._left <= 0:
                break
            children.append(self.item(one, depth + 1))
        coded = _item(model, _CODE_VALUE) if kind == "CODE" else concept
        return Content(
            concept=cut(_meaning(concept)),
            value=cut(says),
            kind=kind[:16],
            relation=_first(model, _RELATION)[:32].lower(),
            code=f"{_first(coded, _CODE)} {_first(coded, _SCHEME)}".strip()[:80],
            children=tuple(children),
            more=len(given) - len(children),
        )


def _values(model: Mapping[str, Any], tag: str) -> Sequence[Any]:
    element = model.get(tag)
    found = element.get("Value") if isinstance(element, Mapping) else None
    return found if isinstance(found, list) else ()


def _first(model: Mapping[str, Any], tag: str) -> str:
    found = next(iter(_values(model, tag)), "")
    if isinstance(found, Mapping):
        found = found.get("Alphabetic", "")
    return "" if found is None else str(found)


def _item(model: Mapping[str, Any], tag: str) -> Mapping[str, Any]:
    found: Any = next(iter(_values(model, tag)), {})
    return found if isinstance(found, Mapping) else {}


def _meaning(code: Mapping[str, Any]) -> str:
    return _first(code, _MEANING) or _first(code, _CODE)


def _nothing(_model: Mapping[str, Any]) -> str:
    return ""


def _number(model: Mapping[str, Any]) -> str:
    measured = _item(model, _MEASURED)
    unit = _item(measured, _UNITS)
    name = _meaning(unit)
    return f"{_first(measured, _NUMBER)} {'' if _first(unit, _CODE) == '1' else name}".strip()


def _referenced(model: Mapping[str, Any]) -> str:
    told = []
    for one in _values(model, _REFERENCED)[:4]:
        if isinstance(one, Mapping):
            frames = ", ".join(str(frame) for frame in _values(one, _FRAMES)[:4])
            segments = ", ".join(str(number) for number in _values(one, _SEGMENTS)[:4])
            of = f", frame {frames}" if frames else ""
            told.append(f"{_first(one, _INSTANCE)}{of}{f', segment {segments}' if segments else ''}")
    return "; ".join(told)


def _drawn(model: Mapping[str, Any]) -> str:
    return f"{_first(model, _GRAPHIC).lower()} of {len(_values(model, _POINTS)) // 2} points"


_VALUES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "NUM": _number,
    "CODE": lambda model: _meaning(_item(model, _CODE_VALUE)),
    "TEXT": lambda model: _first(model, _TEXT),
    "UIDREF": lambda model: _first(model, _UID),
    "PNAME": lambda model: _first(model, _PERSON),
    "DATETIME": lambda model: _first(model, _DATETIME),
    "DATE": lambda model: _first(model, _DATE),
    "TIME": lambda model: _first(model, _TIME),
    "IMAGE": _referenced,
    "COMPOSITE": _referenced,
    "SCOORD": _drawn,
    "SCOORD3D": _drawn,
}
