"""The smallest edit of a rule that would change what it says of a series.

An edit gives one clause another value, or takes it out. Of all edits that turn the answer, the one with the fewest
clauses is told; among equals the first as written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from node.core.rules.conditions import All, AnyOf, Exists, Leaf, Not, Relative, Test, Verdict, Whole
from node.core.rules.operators import (
    Above,
    AtLeast,
    AtMost,
    Below,
    Between,
    Contains,
    Equals,
    HasCode,
    Matches,
    OneOf,
    Operator,
    Starts,
)
from node.core.rules.reading import Known
from node.core.rules.truth import Truth, negated


@dataclass(frozen=True)
class Edit:
    """One clause that would have to be another."""

    verdict: Verdict
    wanted: Truth  # what the clause has to become
    removed: bool  # by taking it out, for no value of it would do

    def text(self, seen: str) -> str:
        """The edit in words; `seen` is the value as it may be shown."""
        condition = self.verdict.condition
        if self.removed or not isinstance(condition, Leaf):
            return f"without the clause {condition.text}"
        if isinstance(condition, Exists):
            return f"with {condition.operand.text} {{exists: {str(not condition.wanted).lower()}}}"
        if isinstance(condition, Test):
            words = _to_hold if self.wanted is Truth.TRUE else _to_fail
            return f"with {words(condition.operand.text, condition.operator, seen)}"
        how = "holds" if self.wanted is Truth.TRUE else "does not hold"
        return f"with values of {condition.operand.text} for which {seen} {how}"


def edits(verdict: Verdict, wanted: Truth) -> tuple[Edit, ...] | None:
    """The fewest edits that make the condition true, or false. None: no edit of its clauses can."""
    return _edits(verdict, wanted, None)


def _edits(verdict: Verdict, wanted: Truth, neutral: Truth | None) -> tuple[Edit, ...] | None:
    """`neutral` is what the part would be to what stands around it, were it taken out."""
    if verdict.truth is wanted:
        return ()
    removal = (Edit(verdict, wanted, removed=True),) if neutral is wanted else None
    condition = verdict.condition
    if isinstance(condition, Not):
        (part,) = verdict.parts
        inner = _edits(part, negated(wanted), None)
        return _fewest((inner, removal))
    if isinstance(condition, All | AnyOf):
        kept = Truth.TRUE if isinstance(condition, All) else Truth.FALSE  # a part that changes nothing
        found = [_edits(part, wanted, kept) for part in verdict.parts]
        inner = _every(found) if wanted is kept else _fewest(found)
        return _fewest((inner, removal))
    return (Edit(verdict, wanted, removed=False),) if _has_other_value(verdict) else removal


def _every(found: Iterable[tuple[Edit, ...] | None]) -> tuple[Edit, ...] | None:
    joined: list[Edit] = []
    for one in found:
        if one is None:
            return None
        joined += one
    return tuple(joined)


def _fewest(found: Iterable[tuple[Edit, ...] | None]) -> tuple[Edit, ...] | None:
    return min((one for one in found if one is not None), key=len, default=None)


def _has_other_value(verdict: Verdict) -> bool:
    """Whether the clause could say the opposite with another value in it. What could not be read fits none."""
    if isinstance(verdict.condition, Exists):
        return verdict.truth is not Truth.UNKNOWN
    if isinstance(verdict.condition, Relative | Whole):
        return False
    return isinstance(verdict.reading, Known) and verdict.truth is not Truth.UNKNOWN


def _to_hold(name: str, operator: Operator, seen: str) -> str:
    bare = seen.strip("'")
    match operator:
        case HasCode():
            return f"{bare} added to the codes of {name}"
        case OneOf():
            return f"{seen} added to the list of {name}"
        case AtLeast() | Above():
            return f"{name} at_least {bare}"
        case AtMost() | Below():
            return f"{name} at_most {bare}"
        case Between():
            return f"{name} between bounds that include {bare}"
        case Matches():
            return f"a pattern of {name} that is found in {seen}"
        case Equals() | Contains() | Starts():
            return f"{name} in [{operator.literal.text}, {seen}]"
    return f"{name} {operator.text} for {seen}"


def _to_fail(name: str, operator: Operator, seen: str) -> str:
    bare = seen.strip("'")
    match operator:
        case HasCode():
            return f"{bare} taken from the codes of {name}"
        case OneOf():
            return f"{seen} taken from the list of {name}"
        case AtLeast() | Above():
            return f"{name} above {bare}"
        case AtMost() | Below():
            return f"{name} below {bare}"
        case Between():
            return f"{name} between bounds that leave out {bare}"
        case Matches():
            return f"a pattern of {name} that is not found in {seen}"
    return f"another value of {name} than {seen}"
