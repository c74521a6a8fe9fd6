"""What can be said of a rule set before any series arrives."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from node.core.card import Card
from node.core.rules.conditions import Condition
from node.core.rules.folding import shown
from node.core.rules.implication import Implication, conjuncts
from node.core.rules.mistakes import Mistake, Severity, did_you_mean
from node.core.rules.program import leaves
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
    """Rules that can never match: they contradict themselves, or an earlier one takes every series they could."""
    implication = Implication()
    active = [rule for rule in rules if rule.active]
    for place, rule in enumerate(active):
        apart = _contradiction(rule, implication)
        if apart:
            what = f"{rule.name} can never match: no series is both {apart[0].text} and {apart[1].text}"
            yield Mistake(rule.file, rule.line, what, "Take one out, or write any: for one of them", Severity.WARNING)
            continue
        before = [earlier for earlier in active[:place] if earlier.stop and not earlier.needs]
        covering = next((earlier for earlier in before if implication.implies(rule.applies, earlier.when)), None)
        if covering:
            what = f"{rule.name} can never match: {covering.name} ({covering.file}) takes every such series before it"
            cure = "Put it in front by its file name, or give the earlier rule stop: false"
            yield Mistake(rule.file, rule.line, what, cure, Severity.WARNING)
        elif other := next((earlier for earlier in before if _contend(earlier, rule, implication)), None):
            what = f"{rule.name} and {other.name} ({other.file}) can match the same series, and only {other.name} acts"
            cure = "Exclude the one in the other with not:, or give the earlier rule stop: false"
            yield Mistake(rule.file, rule.line, what, cure, Severity.WARNING)


def _contradiction(rule: Rule, implication: Implication) -> tuple[Condition, Condition] | None:
    parts = tuple(conjuncts(rule.when))
    pairs = ((one, other) for place, one in enumerate(parts) for other in parts[place + 1 :])
    return next((pair for pair in pairs if implication.exclude(*pair)), None)


def _contend(earlier: Rule, later: Rule, implication: Implication) -> bool:
    """Whether two rules ask the same attributes, for different models, and neither is a case of the other.

    Any two rules on different attributes can meet in one series; that would be no news.
    """
    models = {one.model for one in earlier.then.infer}, {one.model for one in later.then.infer}
    if not all(models) or models[0] == models[1]:
        return False
    if {leaf.operand for leaf in leaves(earlier.when)} != {leaf.operand for leaf in leaves(later.applies)}:
        return False
    return not implication.exclude(earlier.when, later.applies) and not implication.implies(earlier.when, later.applies)


def check_told(rules: Sequence[Rule], told: Collection[str]) -> Iterator[Mistake]:
    """Names of people that rules tell and that the settings do not know: those notices wait, so it is a warning."""
    for rule in rules:
        for name in dict.fromkeys(name for notice in rule.then.notices for name in notice.to if name not in told):
            near = _nearest(name, told)
            cure = f"{near}{'' if near.endswith('?') else '.'} Or add a [[notify]] of this name to node.toml"
            yield Mistake(
                rule.file, rule.line, f"{rule.name} tells {shown(name)}, whom nobody knows", cure, Severity.WARNING
            )


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
