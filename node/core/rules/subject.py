"""What rules are evaluated against: the headers of one series, and the facts the node has about it.

A value of a series is *consistent or unknown*: when the instances do not agree, no single one of them may speak for
the series. Readings are kept, so that two hundred rules on SeriesDescription read it once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pydicom.dataset import Dataset

from node.core.rules.attributes import Operand
from node.core.rules.facts import Fact, FactValue
from node.core.rules.folding import fold, shown
from node.core.rules.kinds import Kind, Value
from node.core.rules.places import Memo, readings
from node.core.rules.reading import MISSING, Known, Reading, Unknown

_NOT_A_FACT_HERE = Unknown("is not known for this series", present=False)


@dataclass(frozen=True)
class Subject:
    """The headers of all received instances of one series, and its facts by name."""

    datasets: Sequence[Dataset]
    facts: Mapping[str, FactValue] = field(default_factory=dict)
    _every: dict[Operand, tuple[Reading, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _agreed: dict[Operand, Reading] = field(default_factory=dict, init=False, repr=False, compare=False)

    def reading(self, operand: Operand) -> Reading:
        """The one value of the series, or why there is none."""
        if operand not in self._agreed:
            self._read(operand)
        return self._agreed[operand]

    def every(self, operand: Operand) -> tuple[Reading, ...]:
        """The value in each place of each instance, equal ones once."""
        if operand not in self._every:
            self._read(operand)
        return self._every[operand]

    def _read(self, operand: Operand) -> None:
        if isinstance(operand, Fact):
            fact = _fact(operand, self.facts.get(operand.text))
            self._every[operand], self._agreed[operand] = (fact,), fact
            return
        memo: Memo = {}
        by_instance = [readings(ds, operand, memo) for ds in self.datasets]
        inside = "sequence items" if len(operand.path) > 1 else "frames"
        self._every[operand] = tuple(dict.fromkeys(reading for found in by_instance for reading in found))
        self._agreed[operand] = agreed([agreed(found, inside) for found in by_instance], "instances")


def agreed(found: Sequence[Reading], among: str) -> Reading:
    """The reading they all share, or unknown."""
    if not found:
        return MISSING
    distinct: dict[object, Reading] = {}
    for reading in found:
        distinct.setdefault(_identity(reading), reading)
    if len(distinct) == 1:
        return found[0]
    absent = sum(1 for reading in found if isinstance(reading, Unknown) and not reading.present)
    if absent:
        return Unknown(f"is missing in {absent} of {len(found)} {among}")
    return Unknown(f"differs between {among} ({len(distinct)} values)", shown=_some(distinct.values()))


def _identity(reading: Reading) -> object:
    return reading.values if isinstance(reading, Known) else reading


def _some(distinct: Iterable[Reading]) -> str:
    return shown(", ".join(reading.shown for reading in islice(distinct, 3)))


def _fact(fact: Fact, value: FactValue) -> Reading:
    values = [value] if value is None or isinstance(value, str | float | int) else list(value)
    if not values or any(one is None or one == "" for one in values):
        return _NOT_A_FACT_HERE
    typed = [_fact_value(fact.kind, one) for one in values if one is not None]
    seen = shown("\\".join(_fact_text(one) for one in values))
    if any(one is None for one in typed):
        return Unknown(f"is not {fact.kind}", shown=seen)
    return Known(tuple(one for one in typed if one is not None), seen)


def _fact_value(kind: Kind, value: str | float | bool) -> Value | None:
    if kind is Kind.FLAG or isinstance(value, bool):
        return value if kind is Kind.FLAG and isinstance(value, bool) else None
    if kind is Kind.NUMBER:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    return fold(value) if isinstance(value, str) else None


def _fact_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "g") if isinstance(value, float) else str(value)
