"""A decision as lines of text: why, and why not."""

from __future__ import annotations

from collections.abc import Iterator

from node.core.rules.conditions import AnyOf, Leaf, Not, Verdict
from node.core.rules.decision import Decision, Outcome, seen_of, told
from node.core.rules.edits import edits
from node.core.rules.folding import shown
from node.core.rules.truth import Truth

_MARK = {Truth.TRUE: "true   ", Truth.FALSE: "false  ", Truth.UNKNOWN: "unknown"}


def explain(decision: Decision, *, show_identifying: bool = False, rule: str = "") -> tuple[str, ...]:
    """The decision, then each rule (or one) with its clauses, the values seen and the edit that would turn it."""
    return tuple(_lines(decision, show_identifying, rule))


def _lines(decision: Decision, show: bool, rule: str) -> Iterator[str]:
    yield f"{decision.disposition}: {decision.reason}"
    for inference in decision.inferences:
        version = f"@{inference.version}" if inference.version else ""
        to = ", ".join(inference.deliver) or "nowhere"
        of = f"volume {inference.volume}" if inference.volume else "the only volume"
        yield f"  model {inference.model}{version}, {of}, results to {to} ({inference.rule})"
    for outcome in decision.outcomes:
        if rule and outcome.rule.name != rule:
            continue
        yield ""
        yield from _outcome(outcome, show, whole=bool(rule))


def _outcome(outcome: Outcome, show: bool, *, whole: bool) -> Iterator[str]:
    yield f"{outcome.rule.name} ({outcome.rule.file}): {outcome.standing}"
    if not outcome.step.tried:
        yield f"  {outcome.sentence}"
        if not whole:
            return
        yield "  asked by itself:"
    yield from _tree(outcome.would, 1, show)
    yield from _parts(outcome)
    edit = smallest_edit(outcome, show_identifying=show)
    if edit:
        yield f"  would {'not ' if outcome.would.truth is Truth.TRUE else ''}match {edit}"


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
    """The smallest change of the rule that would turn its answer; empty when there is none.

    A rule that did not match, or could not be decided, would match; one that matched would not. A rule that was not
    tried is asked by itself.
    """
    if outcome.step.binding is not None:
        return ""
    wanted = Truth.FALSE if outcome.would.truth is Truth.TRUE else Truth.TRUE
    found = edits(outcome.would, wanted) or ()
    return " and ".join(one.text(seen_of(one.verdict, show_identifying=show_identifying)) for one in found)
