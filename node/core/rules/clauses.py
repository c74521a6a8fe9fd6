"""The `when` of a rule, from YAML to a condition. Every mistake is reported; reading goes on to find the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from node.core.rules.attributes import Attribute, Operand, named
from node.core.rules.conditions import All, AnyOf, Condition, Exists, Leaf, Not, Quantifier, Test, Whole
from node.core.rules.folding import shown
from node.core.rules.kinds import ORDERED, TEXTUAL, Kind
from node.core.rules.literals import literal
from node.core.rules.mistakes import Report, Wrong, did_you_mean
from node.core.rules.operators import (
    Among,
    AtLeast,
    AtMost,
    Between,
    Contains,
    Equals,
    Literal,
    Matches,
    OneOf,
    Operator,
    Starts,
    pattern,
)
from node.core.rules.source import Entry, Listing, Scalar, Section, Tree, Typed

Lists = Mapping[str, tuple[Scalar, ...]]
Interned = dict[Condition, Condition]  # equal leaves of a rule set are one object, so that each is asked once

ALWAYS = All(())
_COMBINATORS = ("all", "any", "not")
_QUANTIFIERS = {"any": Quantifier.ANY, "all": Quantifier.ALL, "first": Quantifier.FIRST}
_OPERATORS = ("equals", "in", "contains", "starts", "matches", "at_least", "at_most", "between", "exists")
_INSIDE = (*_OPERATORS, *_QUANTIFIERS, "not")


@dataclass(frozen=True)
class Clauses:
    """Reads the conditions of one file."""

    report: Report
    lists: Lists
    interned: Interned

    def condition(self, section: Section) -> Condition:
        """A mapping: all of its entries."""
        return _joined(tuple(part for entry in section.entries if (part := self._entry(entry)) is not None))

    def _entry(self, entry: Entry) -> Condition | None:
        if entry.key == "not":
            return self._negated(entry)
        if entry.key in ("all", "any"):
            return self._combined(entry)
        operand = named(entry.key)
        if isinstance(operand, Wrong):
            near = did_you_mean(entry.key, _COMBINATORS) if entry.key.islower() else ""
            self.report.error(entry.line, operand.what, near or operand.cure)
            return None
        return self._asked(operand, entry)

    def _negated(self, entry: Entry) -> Condition | None:
        if not isinstance(entry.value, Section):
            self.report.error(entry.line, "not takes one mapping", "For none of several write `not: {any: [...]}`")
            return None
        return Not(self.condition(entry.value))

    def _combined(self, entry: Entry) -> Condition | None:
        parts = self._parts(entry.value)
        if not parts:
            self.report.error(
                entry.line, f"{entry.key} takes a list of mappings", f"Write `{entry.key}: [{{…}}, {{…}}]`"
            )
            return None
        return All(parts) if entry.key == "all" else AnyOf(parts)

    def _parts(self, value: Tree) -> tuple[Condition, ...]:
        if isinstance(value, Section):
            found = [self._entry(entry) for entry in value.entries]
        elif isinstance(value, Listing):
            found = [self._part(item) for item in value.items]
        else:
            found = []
        # A part that was reported stands for itself, lest its list be called empty too.
        return tuple(ALWAYS if part is None else part for part in found)

    def _part(self, item: Tree) -> Condition | None:
        if isinstance(item, Section):
            return self.condition(item)
        self.report.error(item.line, "a condition is a mapping", "Write `Keyword: value`")
        return None

    def _asked(self, operand: Operand, entry: Entry) -> Condition | None:
        value = entry.value
        if isinstance(value, Section):
            return _joined(tuple(self._operators(operand, value, None)))
        if isinstance(value, Listing):
            cure = "Write {in: [...]} for one of them" + (
                "" if operand.several is False else ", {equals: [...]} for all"
            )
            self.report.error(entry.line, f"{operand.text} is compared with a list", cure)
            return None
        return self._leaf(operand, Entry(entry.line, "equals", value), None)

    def _operators(self, operand: Operand, section: Section, quantifier: Quantifier | None) -> list[Condition]:
        if not section.entries:
            self.report.error(section.line, f"{operand.text} has no operator", f"Use one of {', '.join(_OPERATORS)}")
        found = [self._operator(operand, entry, quantifier) for entry in section.entries]
        return [part for part in found if part is not None]

    def _operator(self, operand: Operand, entry: Entry, quantifier: Quantifier | None) -> Condition | None:
        key = entry.key
        if key in _OPERATORS:
            return self._leaf(operand, entry, quantifier)
        if key not in _INSIDE:
            self.report.error(entry.line, f"there is no operator {shown(key)}",
                              did_you_mean(key, _INSIDE) or f"Operators are {', '.join(_INSIDE)}")  # fmt: skip
            return None
        return self._wrapped(operand, entry, quantifier)

    def _wrapped(self, operand: Operand, entry: Entry, quantifier: Quantifier | None) -> Condition | None:
        """`not`, `any`, `all` or `first` around operators, or around a plain value."""
        inner = quantifier if entry.key == "not" else _QUANTIFIERS[entry.key]
        if quantifier is not None and inner is not quantifier:
            self.report.error(entry.line, f"{entry.key} stands inside {quantifier}", "Keep one of them")
            return None
        if isinstance(entry.value, Section):
            parts = tuple(self._operators(operand, entry.value, inner))
        else:
            leaf = self._leaf(operand, Entry(entry.line, "equals", entry.value), inner)
            parts = () if leaf is None else (leaf,)
        return Not(_joined(parts)) if entry.key == "not" else _joined(parts)

    def _leaf(self, operand: Operand, entry: Entry, quantifier: Quantifier | None) -> Condition | None:
        leaf = _READERS[entry.key](self, operand, entry.value, quantifier)
        if isinstance(leaf, Wrong):
            self.report.wrong(entry.line, leaf)
            return None
        self._warn(leaf, entry)
        return self.interned.setdefault(leaf, leaf)

    def _warn(self, leaf: Leaf, entry: Entry) -> None:
        """Points at questions that most series can only leave open."""
        if not isinstance(leaf, Test):
            return
        operand, quantifier = leaf.operand, leaf.quantifier
        if operand.varies and quantifier not in (Quantifier.ANY, Quantifier.ALL):
            self.report.warning(entry.line, f"{operand.text} differs between the instances of a series",
                                "Say any or all, or use a series fact")  # fmt: skip
        elif operand.several and quantifier is Quantifier.AGREED and operand.kind is not Kind.NAME:
            self.report.warning(entry.line, f"{operand.text} may hold several values", "Say any, all or first")
        if isinstance(leaf.operator, Matches) and leaf.operator.holds(""):
            self.report.warning(entry.line, "the pattern matches every text", "Ask for {exists: true}")

    def values(self, operand: Operand, value: Tree) -> tuple[Literal, ...] | Wrong:
        """The values of a list; `lists.name` stands for those of a shared list."""
        items = value.items if isinstance(value, Listing) else (value,)
        found: list[Literal] = []
        for item in items:
            if not isinstance(item, Scalar):
                return Wrong("a list of values holds plain values only")
            scalars = self._shared(item.text) if item.text.startswith("lists.") else (item,)
            if isinstance(scalars, Wrong):
                return scalars
            for scalar in scalars:
                read = literal(operand, scalar)
                if isinstance(read, Wrong):
                    return read
                found.append(read)
        return tuple(found) or Wrong("the list is empty", "A condition on nothing never holds")

    def _shared(self, text: str) -> tuple[Scalar, ...] | Wrong:
        name = text.removeprefix("lists.")
        if name in self.lists:
            return self.lists[name]
        return Wrong(f"there is no list {shown(name)}", did_you_mean(name, self.lists) or "Name it in _set.yaml")


def _joined(parts: tuple[Condition, ...]) -> Condition:
    return parts[0] if len(parts) == 1 else All(parts)


def _equals(clauses: Clauses, operand: Operand, value: Tree, quantifier: Quantifier | None) -> Leaf | Wrong:
    if isinstance(value, Listing):
        if operand.several is False or quantifier is not None:
            return Wrong(f"{operand.text} is one value, not a list", "Write {in: [...]} for one of them")
        literals = clauses.values(operand, value)
        return literals if isinstance(literals, Wrong) else Whole(operand, literals)
    return _one(operand, value, quantifier, Equals, exact=True)


def _in(clauses: Clauses, operand: Operand, value: Tree, quantifier: Quantifier | None) -> Leaf | Wrong:
    if not isinstance(value, Listing) and not (isinstance(value, Scalar) and value.text.startswith("lists.")):
        return Wrong("in takes a list", "Write `in: [A, B]` or `in: lists.name`")
    literals = clauses.values(operand, value)
    return literals if isinstance(literals, Wrong) else _test(operand, OneOf(literals), quantifier)


def _contains(clauses: Clauses, operand: Operand, value: Tree, quantifier: Quantifier | None) -> Leaf | Wrong:
    if operand.several and quantifier is None:
        found = _one(operand, value, Quantifier.AMONG, Among, exact=True)
        return found if isinstance(found, Wrong) else replace(found, quantifier=Quantifier.AMONG)
    return _part_of_text("contains", operand, value, quantifier, Contains)


def _starts(clauses: Clauses, operand: Operand, value: Tree, quantifier: Quantifier | None) -> Leaf | Wrong:
    return _part_of_text("starts", operand, value, quantifier, Starts)


def _part_of_text(
    name: str, operand: Operand, value: Tree, quantifier: Quantifier | None, operator: type[Contains | Starts]
) -> Leaf | Wrong:
    if operand.kind not in TEXTUAL | {Kind.ANY}:
        return _not_for(name, operand)
    return _one(operand, value, quantifier, operator, exact=False)


def _matches(clauses: Clauses, operand: Operand, value: Tree, quantifier: Quantifier | None) -> Leaf | Wrong:
    if operand.kind not in TEXTUAL | {Kind.ANY}:
        return _not_for("matches", operand)
    if not isinstance(value, Scalar):
        return Wrong("matches takes one pattern", 'Write `matches: "t1|mprage"`')
    compiled = pattern(value.text)
    return compiled if isinstance(compiled, Wrong) else _test(_of_kind(operand, Kind.TEXT), compiled, quantifier)


def _at_least(clauses: Clauses, operand: Operand, value: Tree, quantifier: Quantifier | None) -> Leaf | Wrong:
    if operand.kind not in ORDERED | {Kind.ANY}:
        return _not_for("at_least", operand)
    return _one(_of_kind(operand, Kind.NUMBER), value, quantifier, AtLeast, exact=False)


def _at_most(clauses: Clauses, operand: Operand, value: Tree, quantifier: Quantifier | None) -> Leaf | Wrong:
    if operand.kind not in ORDERED | {Kind.ANY}:
        return _not_for("at_most", operand)
    return _one(_of_kind(operand, Kind.NUMBER), value, quantifier, AtMost, exact=False)


def _between(clauses: Clauses, operand: Operand, value: Tree, quantifier: Quantifier | None) -> Leaf | Wrong:
    if operand.kind not in ORDERED | {Kind.ANY}:
        return _not_for("between", operand)
    operand = _of_kind(operand, Kind.NUMBER)
    bounds = [item for item in value.items if isinstance(item, Scalar)] if isinstance(value, Listing) else []
    if len(bounds) != 2 or not isinstance(value, Listing) or len(value.items) != 2:
        return Wrong("between takes two bounds", "Write `between: [low, high]`")
    low, high = (literal(operand, bound, exact=False) for bound in bounds)
    if isinstance(low, Wrong) or isinstance(high, Wrong):
        return low if isinstance(low, Wrong) else _wrong(high)
    if float(low.value) > float(high.value):
        return Wrong(f"no value is between {shown(low.text)} and {shown(high.text)}", "Write the lower bound first")
    return _test(operand, Between(low, high), quantifier)


def _exists(clauses: Clauses, operand: Operand, value: Tree, quantifier: Quantifier | None) -> Leaf | Wrong:
    if not isinstance(value, Scalar) or value.typed is not Typed.FLAG:
        return Wrong("exists takes true or false")
    if quantifier is not None:
        return Wrong(f"exists asks for the attribute, not for {quantifier} of its values", "Take it out")
    return Exists(operand, value.text.lower() == "true")


def _one(
    operand: Operand,
    value: Tree,
    quantifier: Quantifier | None,
    operator: Callable[[Literal], Operator],
    *,
    exact: bool,
) -> Test | Wrong:
    """A question with one value in it."""
    if not isinstance(value, Scalar):
        return Wrong(f"{operand.text} is compared with more than one value", "Write a single value, or in: [...]")
    typed = _of_kind(operand, Kind.NUMBER if value.typed is Typed.NUMBER and operator is Equals else Kind.TEXT)
    read = literal(typed, value, exact=exact)
    return read if isinstance(read, Wrong) else _test(typed, operator(read), quantifier)


def _test(operand: Operand, operator: Operator, quantifier: Quantifier | None) -> Test:
    return Test(_of_kind(operand, Kind.TEXT), operator, quantifier or Quantifier.AGREED)


def _of_kind(operand: Operand, kind: Kind) -> Operand:
    """A private attribute of unlisted type is read as what it is compared with."""
    if operand.kind is Kind.ANY and isinstance(operand, Attribute):
        return replace(operand, kind=kind)
    return operand


def _not_for(name: str, operand: Operand) -> Wrong:
    cure = "Use equals, in or exists" if operand.kind not in ORDERED else "Use equals, in, at_least, at_most or between"
    return Wrong(f"{name} does not compare {operand.text}, which is {operand.kind}", cure)


def _wrong(value: Literal | Wrong) -> Wrong:
    return value if isinstance(value, Wrong) else Wrong("")


_READERS: dict[str, Callable[[Clauses, Operand, Tree, Quantifier | None], Leaf | Wrong]] = {
    "equals": _equals,
    "in": _in,
    "contains": _contains,
    "starts": _starts,
    "matches": _matches,
    "at_least": _at_least,
    "at_most": _at_most,
    "between": _between,
    "exists": _exists,
}
