"""The truth of conditions for many series at once.

A question is put to each different value once, to the very operators that a live series meets; what a thousand series
answer is then an array look-up. Kleene's logic is arithmetic on the answers: false 0, unknown 1, true 2; all is the
least of its parts, any the greatest, not is 2 minus.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from node.core.kept import NOT_KEPT, Cell, Column, KeptSubject, key_of
from node.core.rules.attributes import Operand
from node.core.rules.conditions import All, AnyOf, Condition, Leaf, Not, Relative, Test, seen_by
from node.core.rules.facts import RECEIVED
from node.core.rules.kinds import Value
from node.core.rules.program import leaves
from node.core.rules.reading import Known
from node.core.rules.truth import Truth

FALSE, UNKNOWN, TRUE = 0, 1, 2
_NOT_ASKED = -1
OF_TRUTH = {Truth.FALSE: FALSE, Truth.UNKNOWN: UNKNOWN, Truth.TRUE: TRUE}
REMEMBERED_AT_MOST = 200_000  # different values of one key

Array = np.ndarray[tuple[int], np.dtype[Any]]


@dataclass(frozen=True)
class Table:
    """So many series by column; a key without a column is one that none of them holds."""

    rows: int
    columns: Mapping[str, Column]

    def cells(self, row: int, keys: Iterable[str]) -> dict[str, str]:
        """What is kept of one series under these keys."""
        found = ((key, self.columns[key].at(row)) for key in keys if key in self.columns)
        return {key: cell for key, cell in found if cell is not None}


class _Key:
    """All different cells that were met under one key, numbered."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.numbers: dict[str, int] = {}
        self.subjects: list[KeptSubject] = []
        self.cut: list[bool] = []
        self._values: dict[Operand, dict[int, Value | None]] = {}
        self._single: dict[Operand, list[Value | None]] = {}

    def number(self, text: str) -> int:
        found = self.numbers.get(text)
        if found is None:
            found = self.numbers[text] = len(self.subjects)
            lost = text == NOT_KEPT
            self.subjects.append(KeptSubject({NOT_KEPT: ""} if lost else {self.name: text} if text else {}))
            fact = self.name[:1].islower()
            self.cut.append(lost or (not fact and "null" in text and Cell.from_text(text).cut))
        return found

    def values(self, operand: Operand) -> dict[int, Value | None]:
        """The only value that a cell reads as, by its number; None where that is unknown, or are several."""
        return self._values.setdefault(operand, {})

    def read(self, operand: Operand, cell: int) -> Value | None:
        reading = self.subjects[cell].reading(operand)
        return reading.values[0] if isinstance(reading, Known) and len(reading.values) == 1 else None


class _Question:
    """A question that rules ask, and its answers by the number of the cell."""

    def __init__(self, leaf: Leaf) -> None:
        self.leaf, self.keys = leaf, keys_of_leaf(leaf)
        self.known: Array = np.full(1024, _NOT_ASKED, np.int8)

    def room(self, cells: int) -> Array:
        if len(self.known) < cells:
            grown = np.full(2 * cells, _NOT_ASKED, np.int8)
            grown[: len(self.known)] = self.known
            self.known = grown
        return self.known


class Answers:
    """Remembers what values answered, from one table to the next."""

    def __init__(self) -> None:
        self._keys: dict[str, _Key] = {}
        self._questions: dict[Leaf, _Question] = {}
        self._places: dict[int, tuple[Leaf, _Question]] = {}  # by id: a leaf is long to hash
        self._pairs: dict[tuple[int, int, int], int] = {}
        self._order: dict[int, tuple[Condition, tuple[Condition, ...]]] = {}
        self._alike: dict[Condition, Condition] = {}
        self._table = Table(0, {})
        self._numbers: dict[str, Array] = {}
        self._rules: dict[int, tuple[Array, Array]] = {}  # by id of the condition: where it was asked, and the answers

    def turn_to(self, table: Table) -> None:
        """Answer for these series from now on."""
        self._table, self._numbers, self._rules = table, {}, {}
        if any(len(key.subjects) > REMEMBERED_AT_MOST for key in self._keys.values()):
            self._keys, self._questions, self._places, self._pairs = {}, {}, {}, {}

    def alike(self, condition: Condition) -> Condition:
        """The first equal condition: what two rule sets share is asked once."""
        return self._alike.setdefault(condition, condition)

    def of_rule(self, condition: Condition, where: Array) -> Array:
        """FALSE, UNKNOWN or TRUE for every series of `where`, anything for the others; remembered for these series.

        The condition is one that `alike` gave.
        """
        known = self._rules.get(id(condition))
        if known is None:
            known = self._rules[id(condition)] = (
                np.zeros(self._table.rows, bool), np.zeros(self._table.rows, np.int8)
            )  # fmt: skip
        asked, found = known
        rows = np.flatnonzero(where & ~asked)
        if len(rows):
            found[rows] = self.truth(condition, rows)
            asked[rows] = True
        return found

    def truth(self, condition: Condition, rows: Array) -> Array:
        """FALSE, UNKNOWN or TRUE for these series, by their numbers in the table.

        Values are looked at only where the answer still depends on them.
        """
        if isinstance(condition, All | AnyOf):
            return self._joined(condition, rows)
        if isinstance(condition, Not):
            opposite: Array = TRUE - self.truth(condition.part, rows)
            return opposite
        question = self._question(condition)
        return (self._asked if len(question.keys) == 1 else self._asked_two)(question, rows)

    def cut(self, keys: Iterable[str]) -> Array:
        """Whether a series held values under these keys that were not kept."""
        found = np.zeros(self._table.rows, bool)
        for name in keys:
            if name in self._table.columns or NOT_KEPT in self._table.columns:
                numbers = self._of(name)
                flags = np.array(self._keys[name].cut, bool)
                if flags.any():
                    found |= flags[numbers]
        return found

    def _joined(self, condition: All | AnyOf, rows: Array) -> Array:
        together = isinstance(condition, All)
        settled, worse = (FALSE, np.minimum) if together else (TRUE, np.maximum)
        found = np.full(len(rows), TRUE - settled, np.int8)
        left = np.arange(len(rows))  # places in `rows` that are not settled
        for part in self._ordered(condition):
            now = worse(found[left], self.truth(part, rows[left]))
            found[left] = now
            left = left[now != settled]
            if not len(left):
                break
        return found

    def _ordered(self, condition: All | AnyOf) -> tuple[Condition, ...]:
        """The parts, those with few different values first."""
        known = self._order.get(id(condition))
        if known is None:
            parts = tuple(sorted(condition.parts, key=self._variety))
            known = self._order[id(condition)] = condition, parts  # kept beside it, lest its id be given to another
        return known[1]

    def _variety(self, condition: Condition) -> int:
        columns = self._table.columns
        keys = (key for leaf in leaves(condition) for key in self._question(leaf).keys)
        return sum(len(columns[key].texts) for key in keys if key in columns)

    def _asked(self, question: _Question, rows: Array) -> Array:
        numbers, key = self._of(question.keys[0])[rows], self._keys[question.keys[0]]
        known = question.room(len(key.subjects))
        answers: Array = known[numbers]
        new = numbers[answers == _NOT_ASKED]
        if len(new):
            self._ask(question.leaf, key, known, np.unique(new).tolist())
            answers = known[numbers]
        return answers

    def _ask(self, leaf: Leaf, key: _Key, known: Array, cells: Sequence[int]) -> None:
        if not isinstance(leaf, Test) or leaf.everywhere:
            for cell in cells:
                known[cell] = OF_TRUTH[leaf.judge(seen_by(leaf, key.subjects[cell])).truth]
            return
        holds, operand = leaf.operator.holds, leaf.operand
        values = key.values(operand)
        for cell in cells:
            if cell not in values:
                values[cell] = key.read(operand, cell)
            value = values[cell]
            if value is not None:
                known[cell] = TRUE if holds(value) else FALSE
            else:
                known[cell] = OF_TRUTH[leaf.judge(seen_by(leaf, key.subjects[cell])).truth]

    def _asked_two(self, question: _Question, rows: Array) -> Array:
        leaf, (one, other) = question.leaf, question.keys
        first, second = self._of(one)[rows], self._of(other)[rows]
        pairs, places = np.unique(first << 32 | second, return_inverse=True)
        answers = np.zeros(len(pairs), np.int8)
        for place, pair in enumerate(pairs.tolist()):
            key = (id(question), pair >> 32, pair & 0xFFFFFFFF)
            if key not in self._pairs:
                if len(self._pairs) > REMEMBERED_AT_MOST:
                    self._pairs.clear()
                cells = self._keys[one].subjects[key[1]].cells, self._keys[other].subjects[key[2]].cells
                subject = KeptSubject({**cells[0], **cells[1]})
                self._pairs[key] = OF_TRUTH[leaf.judge(seen_by(leaf, subject)).truth]
            answers[place] = self._pairs[key]
        found: Array = answers[places.ravel()]
        return found

    def _question(self, leaf: Leaf) -> _Question:
        known = self._places.get(id(leaf))
        if known is None:
            question = self._questions.get(leaf)
            if question is None:
                question = self._questions[leaf] = _Question(leaf)
            known = self._places[id(leaf)] = leaf, question
        return known[1]

    def _of(self, name: str) -> Array:
        """For every series the number of its cell."""
        if name in self._numbers:
            return self._numbers[name]
        key = self._keys.setdefault(name, _Key(name))
        column = self._table.columns.get(name)
        if column is None:
            numbers = np.full(self._table.rows, key.number(""), np.int64)
        else:
            numbers = np.array([key.number(text) for text in column.texts], np.int64)[column.numbers]
        if (lost := self._table.columns.get(NOT_KEPT)) is not None:
            absent = lost.numbers > 0 if column is None else (lost.numbers > 0) & (column.numbers == 0)
            if absent.any():
                numbers = np.where(absent, key.number(NOT_KEPT), numbers)
        self._numbers[name] = numbers
        return numbers


def keys_of_leaf(leaf: Leaf) -> tuple[str, ...]:
    """The columns that a question looks at."""
    own = key_of(leaf.operand)
    return (own, RECEIVED.text) if isinstance(leaf, Relative) and own != RECEIVED.text else (own,)


def keys_of(conditions: Iterable[Condition]) -> list[str]:
    """The columns that these conditions look at."""
    return sorted({key for condition in conditions for leaf in leaves(condition) for key in keys_of_leaf(leaf)})
