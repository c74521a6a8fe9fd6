"""A rule made from one series: narrow, so that it takes series like this one and no others."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from node.core.rules.attributes import named
from node.core.rules.folding import fold
from node.core.rules.form.yaml import scalar
from node.core.rules.kinds import Kind
from node.core.rules.mistakes import Wrong
from node.core.rules.reading import Known
from node.core.rules.subject import Readable

# What tells one protocol from another and names nobody; in this order.
_ASKED = ("Modality", "SeriesDescription", "BodyPartExamined", "series.orientation", "series.is_3d", "series.contrast")
_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Taken:
    """A value of the series that the rule asks for, or why it does not."""

    attribute: str
    value: str  # "": left out
    from_where: str  # a sentence
    others: int | None  # series of the last days with the same value; None: not counted


@dataclass(frozen=True)
class Proposed:
    """A draft of a rule."""

    name: str
    text: str
    taken: tuple[Taken, ...]


def rule_for(
    subject: Readable,
    *,
    model: str,
    destinations: Collection[str] = (),
    names: Collection[str] = (),
    others: Callable[[str, str], int | None] = lambda _attribute, _value: None,
) -> Proposed:
    """The rule. Without a model it holds the series it takes. `names`: those that are taken already."""
    taken = tuple(_taken(subject, attribute, others) for attribute in _ASKED)
    described = next((one.value for one in taken if one.attribute == "SeriesDescription"), "")
    name = _free(_slug(described) or "new-rule", names)
    lines = [
        f"name: {name}",
        f"description: {scalar(f'Series like {described}' if described else 'Series like the one it was made from')}",
        "when:",
        *(f"  {one.attribute}: {scalar(one.value)}{_comment(one)}" for one in taken if one.value),
        "on_unknown: no-match",
        "then:",
        *([f"  - infer: {scalar(model)}"] if model else ["  - hold: to be decided which model these series need"]),
    ]
    if model and destinations:
        lines.append(f"  - deliver: [{', '.join(scalar(one) for one in destinations)}]")
    if not any(one.value for one in taken):
        lines[2:3] = ["when: {Modality: {exists: true}}   # the series says nothing of itself: say what it is"]
    return Proposed(name, "\n".join(lines) + "\n", taken)


def _taken(subject: Readable, attribute: str, others: Callable[[str, str], int | None]) -> Taken:
    operand = named(attribute)
    if isinstance(operand, Wrong):
        return Taken(attribute, "", operand.what, None)
    reading = subject.reading(operand)
    if not isinstance(reading, Known) or len(reading.values) != 1:
        reason = "holds several values" if isinstance(reading, Known) else reading.reason
        return Taken(attribute, "", f"left out: it {reason}", None)
    if reading.shown.endswith("…") or "\\" in reading.shown or not reading.shown.strip():
        return Taken(attribute, "", "left out: its value is too long, or no plain text", None)
    where = (
        "all instances agree" if operand.kind is not Kind.FLAG and attribute[0].isupper() else "worked out by the node"
    )
    return Taken(attribute, reading.shown.strip(), where, others(attribute, reading.shown.strip()))


def _comment(one: Taken) -> str:
    return "" if one.others is None else f"   # {one.others} series of the last 30 days"


def _slug(text: str) -> str:
    return _NAME.sub("-", fold(text)).strip("-")[:40].strip("-")


def _free(name: str, names: Collection[str]) -> str:
    number, free = 2, name
    while free in names:
        free, number = f"{name}-{number}", number + 1
    return free
