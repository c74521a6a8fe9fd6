"""What became of one rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from node.core.rules.rule import Missing, OnUnknown, Rule
from node.core.rules.study import Binding


class Standing(StrEnum):
    """What became of one rule."""

    MATCHED = "matched"
    NOT_MATCHED = "not matched"
    UNKNOWN = "unknown"
    WAITING = "waiting"  # for other series of the study
    NOT_REACHED = "not reached"
    INACTIVE = "not active"


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one rule, and of its needs where it has some."""

    rule: Rule
    standing: Standing
    holds: bool = False  # a person has to look, whatever else matched
    ends: bool = False  # later rules are not tried
    stopped_by: str = ""  # the rule that ended the search before this one
    binding: Binding | None = None

    @property
    def tried(self) -> bool:
        """Whether the rule was put to the series."""
        return self.standing is not Standing.INACTIVE and self.standing is not Standing.NOT_REACHED

    @property
    def acts(self) -> bool:
        """Whether its actions are this series' own; a study rule acts on the series that meets its first need."""
        return self.standing is Standing.MATCHED and (self.binding is None or self.binding.carries)


def step(rule: Rule, standing: Standing, binding: Binding | None = None) -> Step:
    """The step, with what follows from it."""
    if standing is Standing.UNKNOWN:
        holds = ends = rule.on_unknown is OnUnknown.HOLD
    elif standing is Standing.MATCHED:
        lacking = binding is not None and bool(binding.missing) and rule.missing is Missing.HOLD
        holds = lacking or rule.then.hold is not None
        ends = holds or rule.stop
    else:
        holds, ends = False, standing is Standing.WAITING
    return Step(rule, standing, holds, ends, binding=binding)
