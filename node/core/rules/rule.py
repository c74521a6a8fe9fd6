"""Rules and rule sets as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from node.core.rules.conditions import Condition

ONLY = ""  # the one volume that the series is; several are a reason to refuse
EACH = "each"  # every volume of the series


class Priority(StrEnum):
    """How urgent the jobs are, most urgent first."""

    STAT = "stat"
    ROUTINE = "routine"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return tuple(Priority).index(self)


class OnUnknown(StrEnum):
    """What a rule does when its condition cannot be known."""

    NO_MATCH = "no-match"
    HOLD = "hold"


class Otherwise(StrEnum):
    """What happens to a series that no rule takes."""

    HOLD = "hold"
    IGNORE = "ignore"


@dataclass(frozen=True)
class Inference:
    """A model to run, and where its results go."""

    model: str
    version: str | None = None  # None: the version that is in production
    volume: str = ONLY  # or EACH, or a selector of one volume: "EchoTime=6.3"
    deliver: tuple[str, ...] = ()  # names of destinations
    rule: str = ""
    line: int = 0


@dataclass(frozen=True)
class Actions:
    """What a rule does with a series it takes."""

    infer: tuple[Inference, ...] = ()
    deliver: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    hold: str | None = None  # the reason that people will read
    ignore: str | None = None

    @property
    def takes(self) -> bool:
        """Whether the series is settled by these actions; a tag alone settles nothing."""
        return bool(self.infer) or self.hold is not None or self.ignore is not None


@dataclass(frozen=True)
class Rule:
    """One rule file."""

    file: str
    line: int  # of its `when`
    name: str
    description: str
    priority: Priority
    when: Condition
    on_unknown: OnUnknown
    then: Actions
    stop: bool  # later rules are not tried once this one has matched
    active: bool


@dataclass(frozen=True)
class RuleSet:
    """The rules in the order they are tried."""

    version: str  # sha256 of the files' names and contents
    rules: tuple[Rule, ...]
    otherwise: Otherwise
    lists: tuple[str, ...]  # names of the shared lists
