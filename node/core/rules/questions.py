"""One operator with its value, from YAML to a question: checked against what the attribute can hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from node.core.rules.attributes import Attribute, Operand
from node.core.rules.conditions import Exists, Leaf, Quantifier, Relative, Test, Whole
from node.core.rules.folding import shown
from node.core.rules.kinds import ORDERED, TEXTUAL, Kind, days
from node.core.rules.literals import code, literal
from node.core.rules.mistakes import Wrong, did_you_mean
from node.core.rules.operators import (
    Above,
    Among,
    AtLeast,
    AtMost,
    Below,
    Between,
    Contains,
    Equals,
    HasCode,
    Literal,
    OneOf,
    Operator,
    Starts,
    pattern,
)
from node.core.rules.source import Listing, Scalar, Section, Tree, Typed

Lists = Mapping[str, tuple[Scalar, ...]]

_DATES = frozenset({Kind.DATE, Kind.DATE_TIME})
_SINCE = re.compile(r"received\s*([+-])\s*(.{1,20})")


@dataclass(frozen=True)
class Asked:
    """What stands beside an operator in a rule."""

    operand: Operand
    value: Tree
    quantifier: Quantifier | None  # that it stands inside
    lists: Lists

    def of_kind(self, kind: Kind) -> Operand:
        """A private attribute of unlisted type, or what a model found, is read as what it is compared with."""
        return replace(self.operand, kind=kind) if self.operand.kind is Kind.ANY else self.operand

    def test(self, operator: Operator, kind: Kind = Kind.TEXT) -> Test:
        return Test(self.of_kind(kind), operator, self.quantifier or Quantifier.AGREED)

    def values(self) -> tuple[Literal, ...] | Wrong:
        """The values of a list; `lists.name` stands for those of a shared list."""
        found: list[Literal] = []
        for item in self.value.items if isinstance(self.value, Listing) else (self.value,):
            if not isinstance(item, Scalar):
                return Wrong("a list of values holds plain values only")
            scalars = self._shared(item.text) if item.text.startswith("lists.") else (item,)
            if isinstance(scalars, Wrong):
                return scalars
            for scalar in scalars:
                read = literal(self.operand, scalar)
                if isinstance(read, Wrong):
                    return read
                found.append(read)
        return tuple(found) or Wrong("the list is empty", "A condition on nothing never holds")

    def _shared(self, text: str) -> tuple[Scalar, ...] | Wrong:
        name = text.removeprefix("lists.")
        if name in self.lists:
            return self.lists[name]
        return Wrong(f"there is no list {shown(name)}", did_you_mean(name, self.lists) or "Name it in _set.yaml")


def question(name: str, asked: Asked) -> Leaf | Wrong:
    """The question of that operator, or why it cannot be asked."""
    reader = _READERS[name]
    if asked.operand.kind not in reader.of | {Kind.ANY}:
        return _not_for(name, asked.operand)
    return reader.read(asked)


def _not_for(name: str, operand: Operand) -> Wrong:
    if operand.kind is Kind.SEQUENCE and name != "code":
        return Wrong(f"{operand.text} is {operand.kind} and has no value to compare",
                     "Ask for {exists: true}, or for a {code: SCHEME:VALUE}")  # fmt: skip
    can = [other for other in operators_of(operand) if other != name]
    cure = f"Use {', '.join(can[:-1])} or {can[-1]}" if len(can) > 1 else f"Ask for {{{can[0]}: true}}"
    return Wrong(f"{name} does not compare {operand.text}, which is {operand.kind}", cure)


def _one(asked: Asked, operator: Callable[[Literal], Operator], kind: Kind, *, exact: bool) -> Test | Wrong:
    """A question with one value in it."""
    value = asked.value
    if not isinstance(value, Scalar):
        return Wrong(f"{asked.operand.text} is compared with more than one value", "Write a single value, or in: [...]")
    read = literal(asked.of_kind(kind), value, exact=exact)
    return read if isinstance(read, Wrong) else asked.test(operator(read), kind)


def _equals(asked: Asked) -> Leaf | Wrong:
    if isinstance(asked.value, Listing):
        if asked.operand.several is False or asked.quantifier is not None:
            return Wrong(f"{asked.operand.text} is one value, not a list", "Write {in: [...]} for one of them")
        literals = asked.values()
        return literals if isinstance(literals, Wrong) else Whole(asked.operand, literals)
    numeric = isinstance(asked.value, Scalar) and asked.value.typed is Typed.NUMBER
    return _one(asked, Equals, Kind.NUMBER if numeric else Kind.TEXT, exact=True)


def _in(asked: Asked) -> Leaf | Wrong:
    shared = isinstance(asked.value, Scalar) and asked.value.text.startswith("lists.")
    if not isinstance(asked.value, Listing) and not shared:
        return Wrong("in takes a list", "Write `in: [A, B]` or `in: lists.name`")
    literals = asked.values()
    return literals if isinstance(literals, Wrong) else asked.test(OneOf(literals))


def _contains(asked: Asked) -> Leaf | Wrong:
    if asked.operand.several and asked.quantifier is None:
        return _one(replace(asked, quantifier=Quantifier.AMONG), Among, Kind.TEXT, exact=True)
    if asked.operand.kind not in TEXTUAL | {Kind.ANY}:
        return _not_for("contains", asked.operand)
    return _one(asked, Contains, Kind.TEXT, exact=False)


def _starts(asked: Asked) -> Leaf | Wrong:
    return _one(asked, Starts, Kind.TEXT, exact=False)


def _matches(asked: Asked) -> Leaf | Wrong:
    if not isinstance(asked.value, Scalar):
        return Wrong("matches takes one pattern", 'Write `matches: "t1|mprage"`')
    compiled = pattern(asked.value.text)
    return compiled if isinstance(compiled, Wrong) else asked.test(compiled)


def _bound(operator: Callable[[Literal], Operator]) -> Callable[[Asked], Leaf | Wrong]:
    def read(asked: Asked) -> Leaf | Wrong:
        since = _since(asked)
        if isinstance(since, Wrong):
            return since
        if since is not None:
            compared = operator(since)
            return Relative(asked.operand, compared, compared.text)
        return _one(asked, operator, Kind.NUMBER, exact=False)

    return read


def _since(asked: Asked) -> Literal | Wrong | None:
    """`received - 30 days` as days from reception. None: the value is an ordinary one."""
    text = asked.value.text.strip() if isinstance(asked.value, Scalar) else ""
    if asked.operand.kind not in _DATES or not text.startswith("received"):
        return None
    if asked.quantifier is not None:
        return Wrong(
            f"a date is counted from reception for the series, not for {asked.quantifier} value", "Take it out"
        )
    found = _SINCE.fullmatch(text)
    counted = 0.0 if text == "received" else days(found[2]) if found else None
    if counted is None:
        return Wrong(f"'{shown(text)}' is no date", "Write it like received - 30 days")
    return Literal(-counted if found and found[1] == "-" else counted, text)


def _within(asked: Asked) -> Leaf | Wrong:
    if asked.quantifier is not None:
        return Wrong(
            f"a date is counted from reception for the series, not for {asked.quantifier} value", "Take it out"
        )
    counted = days(asked.value.text.strip()) if isinstance(asked.value, Scalar) else None
    if counted is None:
        return Wrong("within takes a time before or after reception", "Write it like `within: 30 days`")
    text = asked.value.text if isinstance(asked.value, Scalar) else ""
    bounds = Literal(-counted, f"-{text}"), Literal(counted, text)
    return Relative(asked.operand, Between(*bounds), f"within {shown(text)} of reception")


def _between(asked: Asked) -> Leaf | Wrong:
    items = asked.value.items if isinstance(asked.value, Listing) else ()
    bounds = [item for item in items if isinstance(item, Scalar)]
    if len(bounds) != 2 or len(items) != 2:
        return Wrong("between takes two bounds", "Write `between: [low, high]`")
    read: list[Literal] = []
    for bound in bounds:
        one = literal(asked.of_kind(Kind.NUMBER), bound, exact=False)
        if isinstance(one, Wrong):
            return one
        read.append(one)
    low, high = read
    if float(low.value) > float(high.value):
        return Wrong(f"no value is between {shown(low.text)} and {shown(high.text)}", "Write the lower bound first")
    return asked.test(Between(low, high), Kind.NUMBER)


def _exists(asked: Asked) -> Leaf | Wrong:
    if not isinstance(asked.value, Scalar) or asked.value.typed is not Typed.FLAG:
        return Wrong("exists takes true or false")
    if asked.quantifier is not None:
        return Wrong(f"exists asks for the attribute, not for {asked.quantifier} of its values", "Take it out")
    return Exists(asked.operand, asked.value.text.lower() == "true")


def _code(asked: Asked) -> Leaf | Wrong:
    if not isinstance(asked.operand, Attribute):
        return _not_for("code", asked.operand)
    items = asked.value.items if isinstance(asked.value, Listing) else (asked.value,)
    read: list[Literal] = []
    for item in items:
        one = code(_spelled(item))
        if isinstance(one, Wrong):
            return one
        read.append(one)
    if not read:
        return Wrong("the list is empty", "A condition on nothing never holds")
    operand = replace(asked.operand, kind=Kind.CODE)
    return Test(operand, HasCode(tuple(read)), asked.quantifier or Quantifier.AMONG)


def _spelled(item: Tree) -> str:
    """SCHEME:VALUE, also of {scheme: SCT, value: 12738006}."""
    if isinstance(item, Scalar):
        return item.text
    if isinstance(item, Section) and {entry.key for entry in item.entries} == {"scheme", "value"}:
        parts = {entry.key: entry.value.text if isinstance(entry.value, Scalar) else "" for entry in item.entries}
        return f"{parts['scheme']}:{parts['value']}"
    return ""


@dataclass(frozen=True)
class _Reader:
    of: frozenset[Kind]
    read: Callable[[Asked], Leaf | Wrong]


_VALUED = ORDERED | TEXTUAL | {Kind.FLAG}
_READERS = {
    "equals": _Reader(_VALUED, _equals),
    "in": _Reader(_VALUED, _in),
    "contains": _Reader(_VALUED, _contains),
    "starts": _Reader(TEXTUAL, _starts),
    "matches": _Reader(TEXTUAL, _matches),
    "at_least": _Reader(ORDERED, _bound(AtLeast)),
    "at_most": _Reader(ORDERED, _bound(AtMost)),
    "above": _Reader(ORDERED, _bound(Above)),
    "below": _Reader(ORDERED, _bound(Below)),
    "between": _Reader(ORDERED, _between),
    "within": _Reader(_DATES, _within),
    "code": _Reader(frozenset({Kind.SEQUENCE}), _code),
    "exists": _Reader(frozenset(Kind), _exists),
}
OPERATORS = tuple(_READERS)


def operators_of(operand: Operand) -> tuple[str, ...]:
    """The operators that compare an attribute or a fact."""
    able = (name for name, reader in _READERS.items() if operand.kind in reader.of | {Kind.ANY})
    return tuple(name for name in able if name != "contains" or operand.several or operand.kind in TEXTUAL | {Kind.ANY})
