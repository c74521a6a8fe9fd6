"""What rules are evaluated against: the headers of one series, and the facts the node has about it.

A value of a series is *consistent or unknown*: when the instances do not agree, no single one of them may speak for
the series. Readings are kept, so that two hundred rules on SeriesDescription read it once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from pydicom.dataset import Dataset

from node.core.rules.attributes import Operand
from node.core.rules.facts import Fact, FactValue
from node.core.rules.folding import fold, shown
from node.core.rules.kinds import READ, Kind, Value
from node.core.rules.places import of_all
from node.core.rules.reading import MISSING, Known, Reading, Unknown


class Readable(Protocol):
    """What a rule can be put to: a series' headers just received, or what was kept of them."""

    def reading(self, operand: Operand) -> Reading:
        """The one value of the series, or why there is none."""

    def every(self, operand: Operand) -> tuple[Reading, ...]:
        """The value in each place of each instance, equal ones once."""


Results = Mapping[str, Mapping[str, FactValue]]  # model → measure → value; the measure "ood" is ood.<model>
_OOD = "ood"  # the measure that is ood.<model>, and not result.<model>.ood

_NOT_A_FACT_HERE = Unknown("is not known for this series", present=False)
_NO_RESULT = Unknown("is not known: no completed job of this series says it", present=False)


def result_facts(results: Results) -> dict[str, FactValue]:
    """What models found, as facts: of completed jobs of the series. A model that has not found anything is absent."""
    return {
        f"ood.{model}" if name == _OOD else f"result.{model}.{name}": value
        for model, found in results.items()
        for name, value in found.items()
    }


@dataclass(frozen=True)
class Remembering:
    """What was read once is not read again: two hundred rules ask for the same few attributes."""

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
        """Fill in both."""
        raise NotImplementedError


@dataclass(frozen=True)
class Subject(Remembering):
    """The headers of all received instances of one series, and its facts by name."""

    datasets: Sequence[Dataset]
    facts: Mapping[str, FactValue] = field(default_factory=dict)

    def _read(self, operand: Operand) -> None:
        if isinstance(operand, Fact):
            fact = _fact(operand, self.facts.get(operand.text))
            self._every[operand], self._agreed[operand] = (fact,), fact
            return
        by_instance = of_all(self.datasets, operand)
        inside = "sequence items" if len(operand.path) > 1 else "frames"
        distinct = {id(found): found for found in by_instance}.values()
        self._every[operand] = tuple(dict.fromkeys(reading for found in distinct for reading in found))
        if len(distinct) == 1 and len(by_instance[0]) == 1:
            self._agreed[operand] = by_instance[0][0]  # nearly always: all say the same
            return
        alone = [found[0] if len(found) == 1 else agreed(found, inside) for found in by_instance]
        self._agreed[operand] = agreed(alone, "instances")


def agreed(found: Sequence[Reading], among: str) -> Reading:
    """The reading they all share, or unknown."""
    if not found:
        return MISSING
    if all(reading is found[0] for reading in found):
        return found[0]
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
        return _NO_RESULT if fact.of_a_model else _NOT_A_FACT_HERE
    typed = [_fact_value(fact.kind, one) for one in values if one is not None]
    seen = shown("\\".join(_fact_text(one) for one in values))
    if any(one is None for one in typed):
        return Unknown(f"is not {fact.kind}", shown=seen)
    return Known(tuple(one for one in typed if one is not None), seen)


def _fact_value(kind: Kind, value: str | float | bool) -> Value | None:
    if kind is Kind.FLAG or isinstance(value, bool):
        return value if kind is Kind.FLAG and isinstance(value, bool) else None
    if kind is Kind.NUMBER or (kind is Kind.ANY and not isinstance(value, str)):
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    return READ[kind](value) if kind in READ else fold(value)


def _fact_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "g") if isinstance(value, float) else str(value)
