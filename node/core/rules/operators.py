"""What a rule may ask of one value. Each operator answers yes or no, and can say itself in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import re2

from node.core.rules.folding import fold, fold_pattern, shown
from node.core.rules.kinds import Value
from node.core.rules.mistakes import Wrong

PATTERN_AT_MOST = 256  # characters
_LISTED_AT_MOST = 4  # values of a list that are said in words
_PATTERN_MEMORY = 1 << 20  # bytes: bounds both the program and its search


class Operator(Protocol):
    """A question to one value."""

    @property
    def text(self) -> str:
        """The question in words, as it follows the attribute's name."""

    def holds(self, value: Value) -> bool:
        """The answer for a value of the kind that the rule was checked against."""


@dataclass(frozen=True)
class Literal:
    """A value written in a rule: typed for comparing, and as it was written."""

    value: Value
    text: str = field(compare=False)


@dataclass(frozen=True)
class Equals:
    """The value itself."""

    literal: Literal

    @property
    def text(self) -> str:
        return f"equals {quoted(self.literal)}"

    def holds(self, value: Value) -> bool:
        return same(value, self.literal.value)


@dataclass(frozen=True)
class OneOf:
    """One of several values."""

    literals: tuple[Literal, ...]

    @property
    def text(self) -> str:
        said = ", ".join(quoted(literal) for literal in self.literals[:_LISTED_AT_MOST])
        more = len(self.literals) - _LISTED_AT_MOST
        return f"in [{said}, and {more} more]" if more > 0 else f"in [{said}]"

    def holds(self, value: Value) -> bool:
        return any(same(value, literal.value) for literal in self.literals)


@dataclass(frozen=True)
class HasCode(OneOf):
    """A coded concept, or one of several."""

    @property
    def text(self) -> str:
        said = ", ".join(shown(literal.text) for literal in self.literals[:_LISTED_AT_MOST])
        more = len(self.literals) - _LISTED_AT_MOST
        return f"code {said}, or {more} more" if more > 0 else f"code {said}"


@dataclass(frozen=True)
class Contains:
    """A part of a text."""

    literal: Literal

    @property
    def text(self) -> str:
        return f"contains {quoted(self.literal)}"

    def holds(self, value: Value) -> bool:
        return str(self.literal.value) in str(value)


@dataclass(frozen=True)
class Among(Equals):
    """`contains` for an attribute of several values: one of them is this."""

    @property
    def text(self) -> str:
        return f"contains {quoted(self.literal)}"


@dataclass(frozen=True)
class Starts:
    """The beginning of a text."""

    literal: Literal

    @property
    def text(self) -> str:
        return f"starts {quoted(self.literal)}"

    def holds(self, value: Value) -> bool:
        return str(value).startswith(str(self.literal.value))


@dataclass(frozen=True)
class Matches:
    """A regular expression, found anywhere in the text, in time linear in its length (RE2)."""

    pattern: str
    compiled: re2._Regexp = field(compare=False, repr=False)

    @property
    def text(self) -> str:
        return f"matches '{shown(self.pattern)}'"

    def holds(self, value: Value) -> bool:
        return self.compiled.search(str(value)) is not None


@dataclass(frozen=True)
class AtLeast:
    """A lower bound, itself included."""

    literal: Literal

    @property
    def text(self) -> str:
        return f"at_least {self.literal.text}"

    def holds(self, value: Value) -> bool:
        return not _below(value, self.literal.value)


@dataclass(frozen=True)
class AtMost:
    """An upper bound, itself included."""

    literal: Literal

    @property
    def text(self) -> str:
        return f"at_most {self.literal.text}"

    def holds(self, value: Value) -> bool:
        return not _below(self.literal.value, value)


@dataclass(frozen=True)
class Below:
    """An upper bound, itself not included."""

    literal: Literal

    @property
    def text(self) -> str:
        return f"below {self.literal.text}"

    def holds(self, value: Value) -> bool:
        return _below(value, self.literal.value)


@dataclass(frozen=True)
class Above:
    """A lower bound, itself not included."""

    literal: Literal

    @property
    def text(self) -> str:
        return f"above {self.literal.text}"

    def holds(self, value: Value) -> bool:
        return _below(self.literal.value, value)


@dataclass(frozen=True)
class Between:
    """Two bounds, themselves included."""

    low: Literal
    high: Literal

    @property
    def text(self) -> str:
        return f"between {self.low.text} and {self.high.text}"

    def holds(self, value: Value) -> bool:
        return not _below(value, self.low.value) and not _below(self.high.value, value)


def pattern(text: str) -> Matches | Wrong:
    """A compiled regular expression, or why it cannot be used."""
    if not text or len(text) > PATTERN_AT_MOST:
        return Wrong(f"a pattern has 1 to {PATTERN_AT_MOST} characters", "Use several conditions under any:")
    options = re2.Options()
    options.case_sensitive, options.log_errors, options.max_mem = False, False, _PATTERN_MEMORY
    try:
        return Matches(text, re2.compile(fold_pattern(text), options))
    except re2.error as refused:
        reason = refused.args[0] if refused.args else ""
        told = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        cure = "RE2 has no look-around and no back-references; write a plain text with contains:"
        return Wrong(f"'{shown(text)}' is no regular expression: {shown(told)}", cure)


def same(one: Value, other: Value) -> bool:
    """Equal values. A number read from 32 bits (FL) equals the decimal that was typed."""
    if isinstance(one, float) and isinstance(other, float):
        whole = one.is_integer() and other.is_integer()
        return one == other if whole else math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)
    return one == other


def _below(one: Value, other: Value) -> bool:
    if not isinstance(one, float) or not isinstance(other, float):
        return False
    return one < other and not same(one, other)


def quoted(literal: Literal) -> str:
    """The literal as a sentence shows it: text in quotes, anything else bare."""
    return f"'{shown(literal.text)}'" if isinstance(literal.value, str) else shown(literal.text)


def folded(text: str) -> Literal:
    """A text to compare with folded values."""
    return Literal(fold(text), text)
