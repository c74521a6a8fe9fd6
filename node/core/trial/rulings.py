"""What a rule set rules for many series at once. Series whose rules answer alike are ruled once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from node.core.kept import KeptSubject
from node.core.rules import OnUnknown, RuleSet, Ruling, Sibling, Study, Truth
from node.core.rules.conditions import All
from node.core.rules.ruling import ruled
from node.core.rules.study import alone
from node.core.trial.answers import TRUE, UNKNOWN, Answers, Array, Table, keys_of
from node.core.trial.effect import Effect, effect_of

SIBLINGS_AT_MOST = 100_000  # series that are remembered because they may meet a need of a study rule
REMEMBERED_AT_MOST = 200_000

_TRUTHS = {0: Truth.FALSE, UNKNOWN: Truth.UNKNOWN, TRUE: Truth.TRUE}
_LATER = datetime(9000, 1, 1, tzinfo=UTC)  # what was to come has come
Matrix = np.ndarray[tuple[int, int], np.dtype[Any]]


class Siblings:
    """The series of each study that may meet a need, gathered in a pass before."""

    def __init__(self) -> None:
        self._of_study: dict[str, list[Sibling]] = {}
        self.number = 0

    def add(self, study: str, sibling: Sibling) -> None:
        if self.number < SIBLINGS_AT_MOST:
            self._of_study.setdefault(study, []).append(sibling)
            self.number += 1

    def of(self, study: str) -> Sequence[Sibling]:
        return self._of_study.get(study, ())


class Rulings:
    """One rule set, and the effects it came to so far, numbered."""

    def __init__(self, rule_set: RuleSet, answers: Answers, siblings: Siblings | None = None) -> None:
        self._rule_set, self._answers, self._siblings = rule_set, answers, siblings or Siblings()
        self._rules = [
            (number, rule, answers.alike(rule.applies)) for number, rule in enumerate(rule_set.rules) if rule.active
        ]
        self._needs = [All((rule.when, need.when)) for _, rule, _ in self._rules for need in rule.needs]
        self._known: dict[bytes, int] = {}
        self._numbers: dict[Effect, int] = {}
        self.effects: list[Effect] = []
        self.keys = keys_of([*(applies for _, _, applies in self._rules), *self._needs])

    @property
    def of_studies(self) -> bool:
        """Whether a rule looks at other series of the study."""
        return bool(self._needs)

    def gather(self, table: Table, uids: Sequence[str], studies: Sequence[str], times: Sequence[float]) -> None:
        """Remember the series of the table that may meet a need."""
        fitting = np.zeros(table.rows, bool)
        for need in self._needs:
            rows = np.flatnonzero(~fitting)
            fitting[rows] = self._answers.truth(need, rows) == TRUE
        for row in np.flatnonzero(fitting).tolist():
            at = datetime.fromtimestamp(times[row], UTC)
            self._siblings.add(studies[row], Sibling(uids[row], at, KeptSubject(table.cells(row, self.keys))))

    def of(self, table: Table, uids: Sequence[str], studies: Sequence[str]) -> Array:
        """For every series the number of its effect. The answers were turned to the table before."""
        matrix, together = self._told(table)
        whole = np.ascontiguousarray(matrix).view(np.dtype((np.void, matrix.shape[1]))).ravel()
        patterns, places = np.unique(whole, return_inverse=True)
        numbers = np.array([self._of_pattern(pattern.tobytes()) for pattern in patterns], np.int64)
        found = numbers[places.ravel()]
        for row in np.flatnonzero(together).tolist():
            found[row] = self._number(self._in_study(matrix[row], uids[row], studies[row]))
        return found

    def _told(self, table: Table) -> tuple[Matrix, Array]:
        """By series and rule the truth as far as it tells: nothing behind the rule that ended the search, no unknown
        that means no match. And which series meet a need of a study rule."""
        told = np.zeros((table.rows, max(1, len(self._rules))), np.int8)
        going, together = np.ones(table.rows, bool), np.zeros(table.rows, bool)
        for column, (_, rule, applies) in enumerate(self._rules):
            truth = self._answers.of_rule(applies, going)
            matched = going & (truth == TRUE)
            told[matched, column] = TRUE
            if rule.on_unknown is OnUnknown.HOLD:
                unknown = going & (truth == UNKNOWN)
                told[unknown, column] = UNKNOWN
                going &= ~unknown
            if rule.needs:
                together |= matched  # how the search goes on is known when the study is looked at
            elif rule.stop or rule.then.hold is not None:
                going &= ~matched
        return told, together

    def _of_pattern(self, pattern: bytes) -> int:
        known = self._known.get(pattern)
        if known is None:
            if len(self._known) >= REMEMBERED_AT_MOST:
                self._known.clear()
            ruling = self._ruled(np.frombuffer(pattern, np.int8), alone(KeptSubject({})))
            known = self._known[pattern] = self._number(effect_of(ruling))
        return known

    def _in_study(self, told: Array, uid: str, study: str) -> Effect:
        return effect_of(self._ruled(told, Study(uid, self._siblings.of(study), _LATER)))

    def _ruled(self, told: Array, study: Study) -> Ruling:
        truths = {number: _TRUTHS[int(one)] for (number, _, _), one in zip(self._rules, told.tolist(), strict=False)}
        return ruled(self._rule_set, lambda number: truths.get(number, Truth.FALSE), study)

    def _number(self, effect: Effect) -> int:
        found = self._numbers.get(effect)
        if found is None:
            found = self._numbers[effect] = len(self.effects)
            self.effects.append(effect)
        return found
