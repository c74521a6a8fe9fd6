"""The `when` of a rule, from YAML to a condition. Every mistake is reported; reading goes on to find the next."""

from __future__ import annotations

from dataclasses import dataclass

from node.core.rules.attributes import Operand, named
from node.core.rules.conditions import All, AnyOf, Condition, Leaf, Not, Quantifier, Test
from node.core.rules.folding import shown
from node.core.rules.kinds import Kind
from node.core.rules.mistakes import Report, Wrong, did_you_mean
from node.core.rules.operators import Matches
from node.core.rules.questions import OPERATORS, Asked, Lists, question
from node.core.rules.source import Entry, Listing, Section, Tree

Interned = dict[Condition, Condition]  # equal leaves of a rule set are one object, so that each is asked once

ALWAYS = All(())
_COMBINATORS = ("all", "any", "not")
_QUANTIFIERS = {"any": Quantifier.ANY, "all": Quantifier.ALL, "first": Quantifier.FIRST}
_INSIDE = (*OPERATORS, *_QUANTIFIERS, "not")


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
            self.report.error(section.line, f"{operand.text} has no operator", f"Use one of {', '.join(OPERATORS)}")
        found = [self._operator(operand, entry, quantifier) for entry in section.entries]
        return [part for part in found if part is not None]

    def _operator(self, operand: Operand, entry: Entry, quantifier: Quantifier | None) -> Condition | None:
        key = entry.key
        if key in OPERATORS:
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
        leaf = question(entry.key, Asked(operand, entry.value, quantifier, self.lists))
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


def _joined(parts: tuple[Condition, ...]) -> Condition:
    return parts[0] if len(parts) == 1 else All(parts)
