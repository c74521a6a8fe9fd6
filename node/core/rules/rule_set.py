"""The rules in the order they are tried, and what is worked out for them once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from node.core.rules.program import Program, compiled
from node.core.rules.rule import Otherwise, Rule
from node.core.rules.step import Standing, Step, step
from node.core.rules.truth import Truth

STANDING = {
    Truth.TRUE: Standing.MATCHED,
    Truth.FALSE: Standing.NOT_MATCHED,
    Truth.UNKNOWN: Standing.UNKNOWN,
}


@dataclass(frozen=True)
class RuleSet:
    """The rules in the order they are tried."""

    version: str  # sha256 of the files' names and contents
    rules: tuple[Rule, ...]
    otherwise: Otherwise
    lists: tuple[str, ...]  # names of the shared lists
    _behind: dict[int, tuple[Step, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def program(self) -> Program:
        """The rules' conditions, compiled."""
        return compiled(rule.applies for rule in self.rules)

    @cached_property
    def answered(self) -> tuple[dict[Truth, Step], ...]:
        """For each rule its step by the truth of its condition, where its needs have no say."""
        return tuple({truth: step(rule, standing) for truth, standing in STANDING.items()} for rule in self.rules)

    def behind(self, number: int) -> tuple[Step, ...]:
        """The steps of the rules after the one that ended the search."""
        if number not in self._behind:
            by = self.rules[number].name
            self._behind[number] = tuple(
                Step(rule, Standing.NOT_REACHED, stopped_by=by) if rule.active else Step(rule, Standing.INACTIVE)
                for rule in self.rules[number + 1 :]
            )
        return self._behind[number]
