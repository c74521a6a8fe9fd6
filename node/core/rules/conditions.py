"""Conditions as trees, and what a series makes of them.

Conditions are values: two that ask the same are equal, so a rule set asks each question once. Evaluating gives the
same tree with a truth value in every node, which is also the whole explanation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from node.core.rules.attributes import Operand
from node.core.rules.facts import RECEIVED
from node.core.rules.kinds import Kind
from node.core.rules.operators import Literal, Operator, quoted, same
from node.core.rules.reading import Known, Reading, Unknown
from node.core.rules.subject import Readable, agreed
from node.core.rules.truth import Truth, all_of, any_of, negated

_DAY_S = 86400.0
_NO_RECEPTION = "is counted from reception, which is not known here"
_UNDECIDED = "holds several values, and only some of them do: say any, all or first"


class Quantifier(StrEnum):
    """Which of several values must do."""

    AGREED = "agreed"  # the default: all alike, or the answer is unknown
    AMONG = "among"  # one of the values that all instances agree on
    ANY = "any"  # one value in any place of any instance
    ALL = "all"  # every value in every place of every instance
    FIRST = "first"  # the first of the values that all instances agree on


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a series makes of one condition."""

    condition: Condition
    truth: Truth
    parts: tuple[Verdict, ...] = ()
    reading: Reading | None = None  # of a leaf


Memo = dict[int, Verdict]  # by identity of the condition: equal ones are one object in a rule set


@dataclass(frozen=True)
class Test:
    """One question to the value of one attribute or fact."""

    __test__ = False  # pytest: not a test class

    operand: Operand
    operator: Operator
    quantifier: Quantifier = Quantifier.AGREED

    @property
    def text(self) -> str:
        """The question in words."""
        spoken = f"{self.quantifier} " if self.quantifier in _SPOKEN else ""
        return f"{self.operand.text} {spoken}{self.operator.text}"

    @property
    def everywhere(self) -> bool:
        """Whether it asks every place of every instance, and not the one value they agree on."""
        return self.quantifier in (Quantifier.ANY, Quantifier.ALL)

    def evaluate(self, subject: Readable, memo: Memo) -> Verdict:
        """The answer for a series."""
        return _remembered(self, subject, memo)

    def judge(self, seen: tuple[Reading, ...]) -> Verdict:
        """The answer to what was seen: every reading, or the one they agree on."""
        if self.everywhere:
            return self._everywhere(seen)
        (reading,) = seen
        if isinstance(reading, Unknown):
            return Verdict(self, Truth.UNKNOWN, reading=reading)
        truth = self._of(reading)
        undecided = Unknown(_UNDECIDED, shown=reading.shown) if truth is Truth.UNKNOWN else reading
        return Verdict(self, truth, reading=undecided)

    def _of(self, known: Known) -> Truth:
        if len(known.values) == 1:
            return Truth.TRUE if self.operator.holds(known.values[0]) else Truth.FALSE
        if self.quantifier is Quantifier.FIRST:
            return Truth.of(self.operator.holds(known.values[0]))
        if self.quantifier is Quantifier.AMONG or self.operand.kind is Kind.NAME:
            return Truth.of(any(self.operator.holds(value) for value in known.values))
        answers = {self.operator.holds(value) for value in known.values}
        return Truth.of(answers.pop()) if len(answers) == 1 else Truth.UNKNOWN

    def _everywhere(self, found: tuple[Reading, ...]) -> Verdict:
        truths = [self._in_place(reading) for reading in found]
        truth = any_of(truths) if self.quantifier is Quantifier.ANY else all_of(truths)
        if not found:
            return Verdict(self, Truth.UNKNOWN, reading=Unknown("is missing", present=False))
        decided = next((reading for reading, one in zip(found, truths, strict=True) if one is truth), found[0])
        return Verdict(self, truth, reading=decided)

    def _in_place(self, reading: Reading) -> Truth:
        if isinstance(reading, Unknown):
            return Truth.UNKNOWN
        answers = (self.operator.holds(value) for value in reading.values)
        some = self.quantifier is Quantifier.ANY or self.operand.kind is Kind.NAME
        return Truth.of(any(answers) if some else all(answers))


@dataclass(frozen=True)
class Exists:
    """Whether an attribute holds anything, readable or not."""

    operand: Operand
    wanted: bool

    @property
    def text(self) -> str:
        """The question in words."""
        return f"{self.operand.text} {'exists' if self.wanted else 'does not exist'}"

    @property
    def everywhere(self) -> bool:
        return True

    def evaluate(self, subject: Readable, memo: Memo) -> Verdict:
        """The answer for a series; unknown when only some instances hold it."""
        return replace(_remembered(self, subject, memo), reading=subject.reading(self.operand))

    def judge(self, seen: tuple[Reading, ...]) -> Verdict:
        """The answer to every reading of the attribute."""
        present = {isinstance(reading, Known) or reading.present for reading in seen} or {False}
        truth = Truth.UNKNOWN if len(present) == 2 else Truth.of(present == {self.wanted})
        return Verdict(self, truth, reading=agreed(seen, "instances"))


@dataclass(frozen=True)
class Whole:
    """All values of an attribute, in their order."""

    operand: Operand
    literals: tuple[Literal, ...]

    @property
    def text(self) -> str:
        """The question in words."""
        return f"{self.operand.text} equals [{', '.join(quoted(literal) for literal in self.literals)}]"

    @property
    def everywhere(self) -> bool:
        return False

    def evaluate(self, subject: Readable, memo: Memo) -> Verdict:
        """The answer for a series."""
        return _remembered(self, subject, memo)

    def judge(self, seen: tuple[Reading, ...]) -> Verdict:
        """The answer to the values that all instances agree on."""
        (reading,) = seen
        if isinstance(reading, Unknown):
            return Verdict(self, Truth.UNKNOWN, reading=reading)
        alike = len(reading.values) == len(self.literals) and all(
            same(value, literal.value) for value, literal in zip(reading.values, self.literals, strict=True)
        )
        return Verdict(self, Truth.of(alike), reading=reading)


@dataclass(frozen=True)
class Relative:
    """How many days a date lies after the day of reception; before it, the number is negative."""

    operand: Operand
    operator: Operator
    said: str  # the question in words, as it follows the attribute's name

    @property
    def text(self) -> str:
        """The question in words."""
        return f"{self.operand.text} {self.said}"

    @property
    def everywhere(self) -> bool:
        return False

    def evaluate(self, subject: Readable, memo: Memo) -> Verdict:
        """The answer for a series."""
        return _remembered(self, subject, memo)

    def judge(self, seen: tuple[Reading, ...]) -> Verdict:
        """The answer to the date and to the moment of reception."""
        reading, received = seen
        if isinstance(reading, Unknown):
            return Verdict(self, Truth.UNKNOWN, reading=reading)
        if isinstance(received, Unknown):
            return Verdict(self, Truth.UNKNOWN, reading=Unknown(_NO_RECEPTION, shown=reading.shown))
        moment = float(received.values[0]) / _DAY_S
        exact = self.operand.kind is Kind.DATE_TIME
        offsets = [float(one) / _DAY_S - moment if exact else float(one) - int(moment) for one in reading.values]
        answers = {self.operator.holds(one) for one in offsets}
        if len(answers) > 1:
            return Verdict(self, Truth.UNKNOWN, reading=Unknown(_UNDECIDED, shown=reading.shown))
        return Verdict(self, Truth.of(answers == {True}), reading=reading)


@dataclass(frozen=True)
class All:
    """Every part holds. Of no parts: always."""

    parts: tuple[Condition, ...]

    @property
    def text(self) -> str:
        """The condition in words."""
        return " and ".join(_bracketed(part) for part in self.parts) or "always"

    def evaluate(self, subject: Readable, memo: Memo) -> Verdict:
        """The answer for a series, with the answer of every part."""
        parts = tuple([part.evaluate(subject, memo) for part in self.parts])
        return Verdict(self, all_of([part.truth for part in parts]), parts)


@dataclass(frozen=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Condition, ...]

    @property
    def text(self) -> str:
        """The condition in words."""
        return " or ".join(_bracketed(part) for part in self.parts)

    def evaluate(self, subject: Readable, memo: Memo) -> Verdict:
        """The answer for a series, with the answer of every part."""
        parts = tuple([part.evaluate(subject, memo) for part in self.parts])
        return Verdict(self, any_of([part.truth for part in parts]), parts)


@dataclass(frozen=True)
class Not:
    """The opposite; unknown stays unknown."""

    part: Condition

    @property
    def text(self) -> str:
        """The condition in words."""
        return f"not {_bracketed(self.part)}"

    def evaluate(self, subject: Readable, memo: Memo) -> Verdict:
        """The answer for a series, with the answer of the part."""
        verdict = self.part.evaluate(subject, memo)
        return Verdict(self, negated(verdict.truth), (verdict,))


Leaf = Test | Exists | Whole | Relative
Condition = Leaf | All | AnyOf | Not

_SPOKEN = frozenset({Quantifier.ANY, Quantifier.ALL, Quantifier.FIRST})


def seen_by(leaf: Leaf, subject: Readable) -> tuple[Reading, ...]:
    """What the question is put to."""
    if isinstance(leaf, Relative):
        return subject.reading(leaf.operand), subject.reading(RECEIVED)
    return subject.every(leaf.operand) if leaf.everywhere else (subject.reading(leaf.operand),)


def _remembered(leaf: Leaf, subject: Readable, memo: Memo) -> Verdict:
    known = memo.get(id(leaf))
    if known is None:
        known = memo[id(leaf)] = leaf.judge(seen_by(leaf, subject))
    return known


def _bracketed(condition: Condition) -> str:
    return condition.text if isinstance(condition, Leaf) else f"({condition.text})"


def deciding(verdict: Verdict) -> tuple[Verdict, ...]:
    """The leaves that made the answer what it is: fewer could not have been enough."""
    parts = verdict.parts
    if not parts:
        return (verdict,) if isinstance(verdict.condition, Leaf) else ()
    together = isinstance(verdict.condition, All) and verdict.truth is Truth.TRUE
    together |= isinstance(verdict.condition, AnyOf) and verdict.truth is Truth.FALSE
    if together:
        return tuple(leaf for part in parts for leaf in deciding(part))
    if isinstance(verdict.condition, Not):
        return deciding(parts[0])
    return deciding(next(part for part in parts if part.truth is verdict.truth))
