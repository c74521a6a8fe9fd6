"""Rules and rule sets as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from node.core.rules.conditions import All, AnyOf, Condition

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


class Missing(StrEnum):
    """What happens when the study does not hold all the series that a rule needs."""

    HOLD = "hold"
    PROCEED = "proceed"  # with those that are there


@dataclass(frozen=True)
class Need:
    """One series that a rule needs of the study, by the name under which the model gets it."""

    name: str
    when: Condition
    line: int


@dataclass(frozen=True)
class Inference:
    """A model to run, and where its results go."""

    model: str
    version: str | None = None  # None: the version that is in production
    volume: str = ONLY  # or EACH, or a selector of one volume: "EchoTime=6.3"
    deliver: tuple[str, ...] = ()  # names of destinations
    rule: str = ""
    line: int = 0
    tells_unsuitable: bool = False  # the author wants series that the model does not take to end as not processable
    inputs: tuple[tuple[str, str], ...] = ()  # (need, SeriesInstanceUID) of a study rule, in the order of its needs


@dataclass(frozen=True)
class Notice:
    """Something that people are told of a series."""

    to: tuple[str, ...]  # names of those who are told; how to reach them is a matter of settings
    text: str = ""
    rule: str = ""


@dataclass(frozen=True)
class Actions:
    """What a rule does with a series it takes."""

    infer: tuple[Inference, ...] = ()
    deliver: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    hold: str | None = None  # the reason that people will read
    ignore: str | None = None

    @property
    def takes(self) -> bool:
        """Whether the series is settled by these actions; a tag or a notice alone settles nothing."""
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
    deadline: timedelta | None = None  # from reception to the last delivery
    needs: tuple[Need, ...] = ()  # distinct series of one study; the first one carries the job
    within: timedelta = timedelta()  # how long the others are waited for
    missing: Missing = Missing.HOLD
    says_unknown: bool = True  # whether `on_unknown` is written in the file

    @property
    def carrier(self) -> Condition:
        """What the series must be that the model gets."""
        return All((self.when, self.needs[0].when)) if self.needs else self.when

    @property
    def applies(self) -> Condition:
        """What one series must be for the rule to look at it: `when`, and one of the needs."""
        if not self.needs:
            return self.when
        return All((self.when, AnyOf(tuple(need.when for need in self.needs))))
