"""A decision as lines of text: why, and why not."""

from __future__ import annotations

from collections.abc import Iterator

from node.core.rules.conditions import All, AnyOf, Leaf, Not, Test, Verdict
from node.core.rules.decision import HIDDEN, Decision, Outcome, is_identifying, told
from node.core.rules.folding import shown
from node.core.rules.operators import AtLeast, AtMost, Contains, Equals, Matches, OneOf, Starts
from node.core.rules.reading import Known
from node.core.rules.step import Standing
from node.core.rules.truth import Truth

_MARK = {Truth.TRUE: "true   ", Truth.FALSE: "false  ", Truth.UNKNOWN: "unknown"}


def explain(decision: Decision, *, show_identifying: bool = False) -> tuple[str, ...]:
    """The decision, then each rule with its clauses, the values seen and what would have made it match."""
    return tuple(_lines(decision, show_identifying))


def _lines(decision: Decision, show: bool) -> Iterator[str]:
    yield f"{decision.disposition}: {decision.reason}"
    for inference in decision.inferences:
        version = f"@{inference.version}" if inference.version else ""
        to = ", ".join(inference.deliver) or "nowhere"
        of = f"volume {inference.volume}" if inference.volume else "the only volume"
        yield f"  model {inference.model}{version}, {of}, results to {to} ({inference.rule})"
    for outcome in decision.outcomes:
        yield ""
        yield from _outcome(outcome, show)


def _outcome(outcome: Outcome, show: bool) -> Iterator[str]:
    yield f"{outcome.rule.name} ({outcome.rule.file}): {outcome.standing}"
    if outcome.verdict is None:
        yield f"  {outcome.sentence}"
        return
    yield from _tree(outcome.verdict, 1, show)
    yield from _parts(outcome)
    edit = smallest_edit(outcome, show_identifying=show)
    if edit:
        yield f"  would match {edit}"


def _parts(outcome: Outcome) -> Iterator[str]:
    binding = outcome.step.binding
    if binding is None:
        return
    found = dict(binding.series)
    for need in outcome.rule.needs:
        uid = found.get(need.name)
        yield f"  {need.name}: series {shown(uid)}" if uid is not None else f"  {need.name}: no series yet"


def _tree(verdict: Verdict, depth: int, show: bool) -> Iterator[str]:
    indent = "  " * depth
    said = told(verdict, show_identifying=show) if isinstance(verdict.condition, Leaf) else _heading(verdict)
    yield f"{indent}{_MARK[verdict.truth]}  {said}"
    for part in verdict.parts:
        yield from _tree(part, depth + 1, show)


def _heading(verdict: Verdict) -> str:
    if isinstance(verdict.condition, Not):
        return "not:"
    if isinstance(verdict.condition, AnyOf):
        return "any of:"
    return "all of:" if verdict.parts else "always"


def smallest_edit(outcome: Outcome, *, show_identifying: bool = False) -> str:
    """The one change that would make the rule match; empty when more than one clause stands in the way."""
    if outcome.standing is not Standing.NOT_MATCHED or outcome.verdict is None:
        return ""
    leaf = _obstacle(outcome.verdict)
    if leaf is None or not isinstance(leaf.condition, Leaf):
        return ""
    if not isinstance(leaf.condition, Test) or not isinstance(leaf.reading, Known):
        return f"without the clause {leaf.condition.text}"
    seen = HIDDEN if is_identifying(leaf) and not show_identifying else f"'{leaf.reading.shown}'"
    return _edit(leaf.condition, seen)


def _obstacle(verdict: Verdict) -> Verdict | None:
    """The only leaf that keeps the whole from being true."""
    if isinstance(verdict.condition, Leaf):
        return verdict
    if not isinstance(verdict.condition, All):
        return None
    standing = [part for part in verdict.parts if part.truth is not Truth.TRUE]
    return _obstacle(standing[0]) if len(standing) == 1 else None


def _edit(test: Test, seen: str) -> str:
    name, operator = test.operand.text, test.operator
    if isinstance(operator, OneOf):
        return f"with {seen} added to the list of {name}"
    if isinstance(operator, AtLeast | AtMost):
        return f"with {name} {'at_least' if isinstance(operator, AtLeast) else 'at_most'} {seen.strip(chr(39))}"
    if isinstance(operator, Matches):
        return f"with a pattern of {name} that is found in {seen}"
    if isinstance(operator, Equals | Contains | Starts):
        return f"with {name} in [{operator.literal.text}, {seen}]"
    return f"without the clause {test.text}"
