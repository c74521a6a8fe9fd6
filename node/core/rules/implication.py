"""What one condition says of another, from the rules alone: implied, or never both.

Careful, not complete: "no" means that it is not plain. Each pair of parts is compared once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from node.core.rules.conditions import All, AnyOf, Condition, Exists, Leaf, Not, Quantifier, Test, Whole
from node.core.rules.kinds import Kind, Value
from node.core.rules.operators import Above, Among, AtLeast, AtMost, Below, Between, Equals, OneOf, Operator, Starts

Interval = tuple[float, bool, float, bool]  # low, and whether it is included; high, and whether it is


class Implication:
    """Compares conditions of one rule set, and remembers what it found."""

    def __init__(self) -> None:
        self._implied: dict[tuple[int, int], bool] = {}
        self._kept: list[Condition] = []  # their identities are the memory's keys

    def implies(self, one: Condition, other: Condition) -> bool:
        """Whether the other plainly holds wherever the one does."""
        key = (id(one), id(other))
        if key not in self._implied:
            self._kept += (one, other)
            self._implied[key] = self._plainly(one, other)
        return self._implied[key]

    def _plainly(self, one: Condition, other: Condition) -> bool:
        if one == other:
            return True
        if isinstance(other, All):
            return all(self.implies(one, part) for part in other.parts)
        if isinstance(one, AnyOf):
            return all(self.implies(part, other) for part in one.parts)
        if isinstance(one, All) and any(self.implies(part, other) for part in one.parts):
            return True
        if isinstance(other, AnyOf):
            return any(self.implies(one, part) for part in other.parts)
        if isinstance(other, Not) and isinstance(other.part, AnyOf):
            return all(self.implies(one, Not(part)) for part in other.part.parts)
        return _is_leaf(one) and _leaf_implies(one, other)

    def exclude(self, one: Condition, other: Condition) -> bool:
        """Whether the two plainly never hold together."""
        mine, others = tuple(conjuncts(one)), tuple(conjuncts(other))
        return any(self._apart(part, against) for part in mine for against in others)

    def _apart(self, one: Condition, other: Condition) -> bool:
        if isinstance(one, AnyOf):
            return bool(one.parts) and all(self.exclude(part, other) for part in one.parts)
        if isinstance(other, AnyOf):
            return self._apart(other, one)
        if isinstance(one, Not):
            return self.implies(other, one.part)
        if isinstance(other, Not):
            return self.implies(one, other.part)
        return _leaves_apart(one, other)


def conjuncts(condition: Condition) -> Iterator[Condition]:
    """The parts that must all hold."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from conjuncts(part)
    else:
        yield condition


def _is_leaf(condition: Condition) -> bool:
    return not isinstance(condition, All | AnyOf | Not)


def _leaf_implies(one: Condition, other: Condition) -> bool:
    if isinstance(other, Exists) and other.wanted:
        return isinstance(one, Test | Whole) and one.operand == other.operand and one.operand.kind is not Kind.CODE
    if isinstance(other, Not):
        return _leaves_apart(one, other.part)
    return isinstance(one, Test) and isinstance(other, Test) and _alike(one, other) and _within(one, other)


def _alike(one: Test, other: Test) -> bool:
    """Whether they ask the same value: only then do their operators decide."""
    return one.operand == other.operand and one.quantifier is other.quantifier


def _within(one: Test, other: Test) -> bool:
    values = _values(one.operator)
    if values is not None:
        return all(other.operator.holds(value) for value in values)
    mine, others = _interval(one.operator), _interval(other.operator)
    if mine and others:
        (low, low_in, high, high_in), (floor, floor_in, ceiling, ceiling_in) = mine, others
        above = low > floor or (low == floor and (floor_in or not low_in))
        return above and (high < ceiling or (high == ceiling and (ceiling_in or not high_in)))
    if isinstance(one.operator, Starts) and isinstance(other.operator, Starts):
        return str(one.operator.literal.value).startswith(str(other.operator.literal.value))
    return False


def _leaves_apart(one: Condition, other: Condition) -> bool:
    if isinstance(one, Exists) or isinstance(other, Exists):
        asks, there = (one, other) if isinstance(one, Exists) else (other, one)
        if not isinstance(asks, Exists) or not isinstance(there, Leaf) or asks.operand != there.operand:
            return False
        return asks.wanted is not there.wanted if isinstance(there, Exists) else not asks.wanted
    if not isinstance(one, Test) or not isinstance(other, Test) or not _alike(one, other) or not _of_one_value(one):
        return False
    values, others = _values(one.operator), _values(other.operator)
    if values is not None:
        return not any(other.operator.holds(value) for value in values)
    if others is not None:
        return not any(one.operator.holds(value) for value in others)
    mine, theirs = _interval(one.operator), _interval(other.operator)
    return bool(mine and theirs) and not _meet(mine, theirs)


def _of_one_value(test: Test) -> bool:
    """With `any`, `contains` and names, different values may each be found; with the others one value decides."""
    agreed = test.quantifier in (Quantifier.AGREED, Quantifier.FIRST, Quantifier.ALL)
    return agreed and test.operand.kind is not Kind.NAME


def _meet(one: Interval | None, other: Interval | None) -> bool:
    if one is None or other is None:
        return True
    low, high = max(one[0], other[0]), min(one[2], other[2])
    if low != high:
        return low < high
    return all(included for value, included in (*_ends(one), *_ends(other)) if value == low)


def _ends(interval: Interval) -> tuple[tuple[float, bool], tuple[float, bool]]:
    return (interval[0], interval[1]), (interval[2], interval[3])


def _values(operator: Operator) -> tuple[Value, ...] | None:
    """All values that satisfy it, where they are few."""
    if isinstance(operator, Equals | Among):
        return (operator.literal.value,)
    return tuple(literal.value for literal in operator.literals) if isinstance(operator, OneOf) else None


def _interval(operator: Operator) -> Interval | None:
    if isinstance(operator, Between):
        return float(operator.low.value), True, float(operator.high.value), True
    if isinstance(operator, AtLeast | Above):
        return float(operator.literal.value), isinstance(operator, AtLeast), math.inf, False
    if isinstance(operator, AtMost | Below):
        return -math.inf, False, float(operator.literal.value), isinstance(operator, AtMost)
    return None
