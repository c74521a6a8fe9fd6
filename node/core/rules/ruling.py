"""What a rule set does with a series, from the truth of its conditions alone: no values, no sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from node.core.rules.program import Answers
from node.core.rules.rule import EACH, ONLY, Inference, Notice, Otherwise, Priority, Rule
from node.core.rules.rule_set import RuleSet
from node.core.rules.step import Standing, Step, step
from node.core.rules.study import Binding, Study, alone, bound
from node.core.rules.subject import Readable
from node.core.rules.truth import Truth

REMEMBERED_AT_MOST = 65_536  # rulings, by the answers that led to them


class Disposition(StrEnum):
    """What happens to the series."""

    INFER = "infer"
    HOLD = "hold"
    IGNORE = "ignore"
    WAIT = "wait"  # to be decided again, when another series of the study is complete or at `look_again_at`


@dataclass(frozen=True)
class Ruling:
    """What happens to the series."""

    disposition: Disposition
    rule: str  # the rule that settled it; empty when none did
    priority: Priority
    deadline: timedelta | None  # from the last instance's reception to the last delivery; the shortest that was asked
    inferences: tuple[Inference, ...]  # each model at most once for a volume; under HOLD: to run on release
    tags: tuple[str, ...]
    notices: tuple[Notice, ...]
    look_again_at: datetime | None  # under WAIT
    steps: tuple[Step, ...]  # one for each rule, in order

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


class Ruler:
    """Decides many series fast: those that answer every question alike are decided once.

    Rules that need other series of the study are asked again for each series.
    """

    def __init__(self, rule_set: RuleSet) -> None:
        self._rule_set = rule_set
        self._known: dict[Answers, Ruling] = {}

    def rule(self, subject: Readable, study: Study | None = None) -> Ruling:
        """What `decide` would decide, without the reasons."""
        program = self._rule_set.program
        answers = program.everything(subject)
        known = self._known.get(answers)
        if known is None:
            truths = program.conditions
            known = ruled(self._rule_set, lambda number: truths[number].decide(answers), study or alone(subject))
            if not any(one.binding for one in known.steps):
                if len(self._known) >= REMEMBERED_AT_MOST:
                    self._known.clear()
                self._known[answers] = known
        return known


def ruled(rule_set: RuleSet, truth: Callable[[int], Truth], study: Study) -> Ruling:
    """The ruling, from the truth of the rules' conditions by number. Conditions are asked for in order, as needed."""
    steps = _steps(rule_set, truth, study)
    telling = [one for one in steps if one.standing in _TELLING]
    acting = [one for one in telling if one.acts]
    disposition, by, waiting = _settled(rule_set.otherwise, telling)
    taking = [one.rule for one in acting if one.rule.then.takes]
    return Ruling(
        disposition=disposition,
        rule=by,
        priority=min((rule.priority for rule in taking), default=Priority.ROUTINE, key=lambda one: one.rank),
        deadline=min((rule.deadline for rule in taking if rule.deadline is not None), default=None),
        inferences=_inferences(acting),
        tags=tuple(dict.fromkeys(tag for one in acting for tag in one.rule.then.tags)),
        notices=tuple(replace(notice, rule=one.rule.name) for one in acting for notice in one.rule.then.notices),
        look_again_at=waiting.ends_at if waiting else None,
        steps=steps,
    )


def _steps(rule_set: RuleSet, truth: Callable[[int], Truth], study: Study) -> tuple[Step, ...]:
    steps: list[Step] = []
    answered = rule_set.answered
    for number, rule in enumerate(rule_set.rules):
        if not rule.active:
            steps.append(Step(rule, Standing.INACTIVE))
            continue
        one = answered[number][truth(number)]
        if rule.needs and one.standing is Standing.MATCHED:
            one = _bound(rule, study)
        steps.append(one)
        if one.ends:
            return (*steps, *rule_set.behind(number))
    return tuple(steps)


def _bound(rule: Rule, study: Study) -> Step:
    binding = bound(rule, study)
    if not binding.part:
        return step(rule, Standing.NOT_MATCHED, binding)
    return step(rule, Standing.WAITING if binding.waiting else Standing.MATCHED, binding)


def _settled(otherwise: Otherwise, steps: Sequence[Step]) -> tuple[Disposition, str, Binding | None]:
    """The disposition, the rule behind it, and what is waited for. Holding is the strongest: a person looks first."""
    inferring = part = ""
    for one in steps:
        if one.holds:
            return Disposition.HOLD, one.rule.name, None
        if one.standing is Standing.WAITING:
            return Disposition.WAIT, one.rule.name, one.binding
        if one.standing is not Standing.MATCHED:
            continue
        if one.rule.then.ignore is not None and not inferring:
            return Disposition.IGNORE, one.rule.name, None
        if not one.acts:
            part = part or one.rule.name
        elif one.rule.then.infer:
            inferring = inferring or one.rule.name
    if inferring:
        return Disposition.INFER, inferring, None
    return (Disposition.IGNORE, part, None) if part else (Disposition(otherwise.value), "", None)


def _inferences(acting: Sequence[Step]) -> tuple[Inference, ...]:
    """One inference for a model and volume: the earlier rule's version, and the destinations of both."""
    merged: dict[tuple[str, str], Inference] = {}
    for one in acting:
        for asked in one.rule.then.infer:
            key = (asked.model, EACH if (asked.model, EACH) in merged else asked.volume)
            before = merged.get(key)
            deliver = (before.deliver if before else ()) + one.rule.then.deliver
            inputs = one.binding.series if one.binding else ()
            first = before or replace(asked, rule=one.rule.name, inputs=inputs)
            merged[key] = replace(first, deliver=tuple(dict.fromkeys(deliver)))
    return tuple(merged.values())


_TELLING = frozenset({Standing.MATCHED, Standing.UNKNOWN, Standing.WAITING})
