"""What can be said of a rule set before any series arrives."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from node.core.card import Card
from node.core.rules.conditions import All, Condition
from node.core.rules.folding import shown
from node.core.rules.mistakes import Mistake, Severity, did_you_mean
from node.core.rules.rule import Inference, Rule


def check_names(rules: Sequence[Rule]) -> Iterator[Mistake]:
    """Two rules of one name could not be told apart in a job's history."""
    first: dict[str, Rule] = {}
    for rule in rules:
        if rule.name in first:
            yield Mistake(rule.file, 1, f"the name {rule.name} is taken by {first[rule.name].file}", "Choose another")
        elif rule.name:
            first[rule.name] = rule


def check_order(rules: Sequence[Rule]) -> Iterator[Mistake]:
    """Rules that can never match, since an earlier one takes every series they could."""
    active = [rule for rule in rules if rule.active]
    for place, rule in enumerate(active):
        earlier = next((before for before in active[:place] if before.stop and _covers(before.when, rule.when)), None)
        if earlier:
            what = f"{rule.name} can never match: {earlier.name} ({earlier.file}) takes every such series before it"
            cure = "Put it in front by its file name, or give the earlier rule stop: false"
            yield Mistake(rule.file, rule.line, what, cure, Severity.WARNING)


def _covers(earlier: Condition, later: Condition) -> bool:
    """Whether the later condition plainly implies the earlier one: all of the earlier one's parts are among its own."""
    return set(_conjuncts(earlier)) <= set(_conjuncts(later))


def _conjuncts(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, All):
        for part in condition.parts:
            yield from _conjuncts(part)
    else:
        yield condition


def check_references(
    rules: Sequence[Rule], models: Mapping[str, Card] | Collection[str] | None, destinations: Collection[str] | None
) -> Iterator[Mistake]:
    """Models and destinations that rules name and nobody has."""
    for rule in rules:
        for inference in rule.then.infer:
            if models is not None:
                yield from _model(rule, inference, models)
        for name in rule.then.deliver:
            if destinations is not None and name not in destinations:
                line = rule.then.infer[0].line if rule.then.infer else rule.line
                yield Mistake(rule.file, line, f"there is no destination {shown(name)}", _nearest(name, destinations))


def _model(rule: Rule, inference: Inference, models: Mapping[str, Card] | Collection[str]) -> Iterator[Mistake]:
    if inference.model not in models:
        cure = _nearest(inference.model, models)
        yield Mistake(rule.file, inference.line, f"there is no model {inference.model}", cure)
    elif isinstance(models, Mapping) and inference.version not in (None, models[inference.model].version):
        have = models[inference.model].version
        what = f"model {inference.model} is version {have}, not {inference.version}"
        yield Mistake(rule.file, inference.line, what, f"Write {inference.model}@{have}, or no version")


def _nearest(name: str, known: Collection[str]) -> str:
    return did_you_mean(name, known) or (f"There are {', '.join(sorted(known))}" if known else "None is configured")
