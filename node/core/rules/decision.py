"""What a rule set decides for a series, with the reason for every rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from node.core.rules.conditions import Leaf, Verdict, deciding
from node.core.rules.reading import Known
from node.core.rules.rule import EACH, ONLY, Inference, OnUnknown, Otherwise, Priority, Rule, RuleSet
from node.core.rules.subject import Subject
from node.core.rules.truth import Truth

_CLAUSES_SAID = 3  # in one sentence
HIDDEN = "(hidden)"  # stands for a value that could name a patient


class Standing(StrEnum):
    """What became of one rule."""

    MATCHED = "matched"
    NOT_MATCHED = "not matched"
    UNKNOWN = "unknown"
    NOT_REACHED = "not reached"
    INACTIVE = "not active"


class Disposition(StrEnum):
    """What happens to the series."""

    INFER = "infer"
    HOLD = "hold"
    IGNORE = "ignore"


@dataclass(frozen=True)
class Outcome:
    """One rule's answer. `verdict` is the whole tree; the properties are what decided."""

    rule: Rule
    standing: Standing
    verdict: Verdict | None = None  # None: the rule was not tried
    stopped_by: str = ""  # the rule that ended the search before this one

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
        return f"{self.rule.name} {_ANSWER[self.standing]}: {_because(self.decided)}"


@dataclass(frozen=True)
class Decision:
    """What happens to the series, and why."""

    rule_set: str  # its version
    disposition: Disposition
    reason: str  # one sentence, free of identifying values
    rule: str  # the rule that settled it; empty when none did
    priority: Priority
    inferences: tuple[Inference, ...]  # each model at most once for a volume; under HOLD: to run on release
    tags: tuple[str, ...]
    outcomes: tuple[Outcome, ...]  # one for each rule, in order

    @property
    def taken(self) -> bool:
        """Whether a rule settled the series; otherwise the rule set's `otherwise` did."""
        return bool(self.rule)

    def for_volumes(self, keys: Iterable[str]) -> tuple[tuple[Inference, str], ...]:
        """The jobs for the volumes the series turned out to have: no model twice on one volume.

        A volume that is not there still gets its job, which will say why it cannot be done.
        """
        every = tuple(keys) or (ONLY,)
        jobs: dict[tuple[str, str], tuple[Inference, str]] = {}
        for inference in self.inferences:
            for key in every if inference.volume == EACH else (inference.volume,):
                jobs.setdefault((inference.model, key), (inference, key))
        return tuple(jobs.values())


_ANSWER = {
    Standing.MATCHED: "matched",
    Standing.NOT_MATCHED: "did not match",
    Standing.UNKNOWN: "cannot be decided",
}


def decide(rule_set: RuleSet, subject: Subject) -> Decision:
    """Tries the rules in order. Never raises, whatever the headers hold."""
    outcomes = _outcomes(rule_set.rules, subject)
    acted = [outcome.rule for outcome in outcomes if outcome.standing is Standing.MATCHED]
    disposition, by, reason = _settled(rule_set.otherwise, outcomes)
    return Decision(
        rule_set=rule_set.version,
        disposition=disposition,
        reason=reason,
        rule=by,
        priority=min((rule.priority for rule in acted if rule.then.takes), default=Priority.ROUTINE, key=_rank),
        inferences=_inferences(acted),
        tags=tuple(dict.fromkeys(tag for rule in acted for tag in rule.then.tags)),
        outcomes=outcomes,
    )


def _outcomes(rules: Sequence[Rule], subject: Subject) -> tuple[Outcome, ...]:
    outcomes: list[Outcome] = []
    asked: dict[int, Verdict] = {}
    stopped_by = ""
    for rule in rules:
        if not rule.active:
            outcomes.append(Outcome(rule, Standing.INACTIVE))
        elif stopped_by:
            outcomes.append(Outcome(rule, Standing.NOT_REACHED, stopped_by=stopped_by))
        else:
            verdict = rule.when.evaluate(subject, asked)
            outcome = Outcome(rule, _STANDING[verdict.truth], verdict)
            outcomes.append(outcome)
            stopped_by = rule.name if _ends(outcome) else ""
    return tuple(outcomes)


def _ends(outcome: Outcome) -> bool:
    """Whether later rules are not tried."""
    return (outcome.standing is Standing.MATCHED and outcome.rule.stop) or _holds_unknown(outcome)


def _holds_unknown(outcome: Outcome) -> bool:
    return outcome.standing is Standing.UNKNOWN and outcome.rule.on_unknown is OnUnknown.HOLD


def _settled(otherwise: Otherwise, outcomes: Sequence[Outcome]) -> tuple[Disposition, str, str]:
    """The disposition, the rule behind it, and the reason. Holding is the strongest: a person looks first."""
    inferring = ""
    for outcome in outcomes:
        then = outcome.rule.then
        if _holds_unknown(outcome):
            return Disposition.HOLD, outcome.rule.name, outcome.sentence
        if outcome.standing is not Standing.MATCHED:
            continue
        if then.hold is not None:
            return Disposition.HOLD, outcome.rule.name, then.hold or outcome.sentence
        if then.ignore is not None and not inferring:
            return Disposition.IGNORE, outcome.rule.name, then.ignore or outcome.sentence
        inferring = inferring or (outcome.rule.name if then.infer else "")
    if inferring:
        reason = next(outcome.sentence for outcome in outcomes if outcome.rule.name == inferring)
        return Disposition.INFER, inferring, reason
    return Disposition(otherwise.value), "", _nobody(outcomes)


def _nobody(outcomes: Sequence[Outcome]) -> str:
    """Why no rule took the series; with a single rule, that rule's own reason."""
    tried = [outcome for outcome in outcomes if outcome.verdict and outcome.rule.then.takes]
    if len(tried) == 1:
        return f"no rule takes this series: {tried[0].sentence}"
    unknown = sum(1 for outcome in tried if outcome.standing is Standing.UNKNOWN)
    among = f", {unknown} of them because values are unknown" if unknown else ""
    return f"no rule takes this series: none of {len(tried)} matched{among}"


def _inferences(acted: Sequence[Rule]) -> tuple[Inference, ...]:
    """One inference for a model and volume: the earlier rule's version, and the destinations of both."""
    merged: dict[tuple[str, str], Inference] = {}
    for rule in acted:
        for asked in rule.then.infer:
            key = (asked.model, EACH if (asked.model, EACH) in merged else asked.volume)
            before = merged.get(key)
            deliver = (before.deliver if before else ()) + rule.then.deliver
            first = before or replace(asked, rule=rule.name)
            merged[key] = replace(first, deliver=tuple(dict.fromkeys(deliver)))
    return tuple(merged.values())


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
    seen = HIDDEN if is_identifying(leaf) and not show_identifying else f"'{reading.shown}'"
    if isinstance(reading, Known):
        return f"{leaf.condition.text}: value {seen}"
    value = f", value {seen}" if reading.shown else ""
    return f"{leaf.condition.text}: the value {reading.reason}{value}"


def is_identifying(leaf: Verdict) -> bool:
    """Whether the clause looks at something that could name a patient or a visit."""
    return isinstance(leaf.condition, Leaf) and leaf.condition.operand.identifying


def _rank(priority: Priority) -> int:
    return priority.rank


_STANDING = {
    Truth.TRUE: Standing.MATCHED,
    Truth.FALSE: Standing.NOT_MATCHED,
    Truth.UNKNOWN: Standing.UNKNOWN,
}
