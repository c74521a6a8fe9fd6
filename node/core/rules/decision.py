"""What a rule set decides for a series, with the reason for every rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

from node.core.rules.conditions import Leaf, Memo, Verdict, deciding
from node.core.rules.reading import Known
from node.core.rules.rule import Rule
from node.core.rules.rule_set import RuleSet
from node.core.rules.ruling import Disposition, Ruling, ruled
from node.core.rules.step import Standing, Step
from node.core.rules.study import Study, alone
from node.core.rules.subject import Readable

_CLAUSES_SAID = 3  # in one sentence
HIDDEN = "(hidden)"  # stands for a value that could name a patient


@dataclass(frozen=True)
class Outcome:
    """One rule's answer. `verdict` is the whole tree; the properties are what decided."""

    step: Step
    _subject: Readable = field(repr=False, compare=False)
    _memo: Memo = field(repr=False, compare=False)

    @property
    def rule(self) -> Rule:
        return self.step.rule

    @property
    def standing(self) -> Standing:
        return self.step.standing

    @property
    def stopped_by(self) -> str:
        """The rule that ended the search before this one."""
        return self.step.stopped_by

    @property
    def verdict(self) -> Verdict | None:
        """The rule's condition with an answer in every node; None when the rule was not tried."""
        return self.would if self.step.tried else None

    @cached_property
    def would(self) -> Verdict:
        """The same, whether the rule was tried or not."""
        return self.rule.applies.evaluate(self._subject, self._memo)

    @property
    def decided(self) -> tuple[Verdict, ...]:
        """The clauses that made the answer what it is."""
        return deciding(self.verdict) if self.verdict else ()

    @property
    def clause(self) -> str:
        """The first of them in words."""
        return self.decided[0].condition.text if self.decided else ""

    @property
    def value(self) -> str:
        """The value it saw: escaped, 64 characters at most. Keep it out of logs when `identifying`."""
        reading = self.decided[0].reading if self.decided else None
        return reading.shown if reading else ""

    @property
    def identifying(self) -> bool:
        """Whether the value could name a patient or a visit."""
        return any(is_identifying(leaf) for leaf in self.decided[:1])

    @property
    def sentence(self) -> str:
        """The reason for people, free of identifying values."""
        if self.standing is Standing.INACTIVE:
            return f"{self.rule.name} is not active"
        if self.standing is Standing.NOT_REACHED:
            return f"{self.rule.name} was not tried: {self.stopped_by} came first"
        if self.step.binding is not None:
            return f"{self.rule.name} {_ANSWER[self.standing]}: {self.step.binding.sentence(self.rule.missing)}"
        return f"{self.rule.name} {_ANSWER[self.standing]}: {_because(self.decided)}"


@dataclass(frozen=True)
class Decision(Ruling):
    """What happens to the series, and why."""

    rule_set: str  # its version
    _subject: Readable = field(repr=False, compare=False)

    @cached_property
    def outcomes(self) -> tuple[Outcome, ...]:
        """One for each rule, in order."""
        memo: Memo = {}
        return tuple([Outcome(step, self._subject, memo) for step in self.steps])

    @cached_property
    def reason(self) -> str:
        """Why, in one sentence, free of identifying values."""
        settled = next((outcome for outcome in self.outcomes if outcome.rule.name == self.rule), None)
        if settled is None:
            return _nobody(self.outcomes)
        then = settled.rule.then
        said = {Disposition.HOLD: then.hold, Disposition.IGNORE: then.ignore}.get(self.disposition)
        plainly = settled.standing is Standing.MATCHED and settled.step.binding is None
        return said if said and plainly else settled.sentence


_ANSWER = {
    Standing.MATCHED: "matched",
    Standing.NOT_MATCHED: "did not match",
    Standing.UNKNOWN: "cannot be decided",
    Standing.WAITING: "waits",
}

_FIELDS = tuple(one.name for one in fields(Ruling))


def decide(rule_set: RuleSet, subject: Readable, study: Study | None = None) -> Decision:
    """Tries the rules in order. Never raises, whatever the headers hold.

    Without a study, the series is all there is of it, and nothing is waited for.
    """
    ruling = ruled(rule_set, rule_set.program.asking(subject).truth, study or alone(subject))
    return Decision(
        **{name: getattr(ruling, name) for name in _FIELDS},
        rule_set=rule_set.version,
        _subject=subject,
    )


def _nobody(outcomes: Sequence[Outcome]) -> str:
    """Why no rule took the series; with a single rule, that rule's own reason."""
    tried = [outcome for outcome in outcomes if outcome.step.tried and outcome.rule.then.takes]
    if len(tried) == 1:
        return f"no rule takes this series: {tried[0].sentence}"
    unknown = sum(1 for outcome in tried if outcome.standing is Standing.UNKNOWN)
    among = f", {unknown} of them because values are unknown" if unknown else ""
    return f"no rule takes this series: none of {len(tried)} matched{among}"


def _because(decided: Sequence[Verdict]) -> str:
    if not decided:
        return "it takes every series"
    said = "; ".join(told(leaf) for leaf in decided[:_CLAUSES_SAID])
    more = len(decided) - _CLAUSES_SAID
    return f"{said}; and {more} more" if more > 0 else said


def told(leaf: Verdict, *, show_identifying: bool = False) -> str:
    """A clause and what it saw: "SeriesDescription contains 'FLAIR': value 't2_tirm'"."""
    reading = leaf.reading
    if reading is None:
        return leaf.condition.text
    seen = seen_of(leaf, show_identifying=show_identifying)
    if isinstance(reading, Known):
        return f"{leaf.condition.text}: value {seen}"
    value = f", value {seen}" if reading.shown else ""
    return f"{leaf.condition.text}: the value {reading.reason}{value}"


def seen_of(leaf: Verdict, *, show_identifying: bool = False) -> str:
    """The value that a clause saw, as it may be shown."""
    if is_identifying(leaf) and not show_identifying:
        return HIDDEN
    return f"'{leaf.reading.shown if leaf.reading else ''}'"


def is_identifying(leaf: Verdict) -> bool:
    """Whether the clause looks at something that could name a patient or a visit."""
    return isinstance(leaf.condition, Leaf) and leaf.condition.operand.identifying
