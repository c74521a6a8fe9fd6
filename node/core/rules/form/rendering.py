"""Conditions and actions as YAML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node.core.rules.form.model import Action, Clause, Group, Need, Node
from node.core.rules.form.yaml import listing, scalar

_LISTS = ("in", "between")
_LINE_AT_MOST = 100


def action_of(one: Action) -> str:
    """`key: value` of an action."""
    if one.kind == "infer":
        name = one.values[0] if one.values else ""
        if not one.volume and not one.unsuitable:
            return f"infer: {scalar(name)}"
        more = (f", volume: {scalar(one.volume)}" if one.volume else "") + (
            ", unsuitable: not-processable" if one.unsuitable else ""
        )
        return f"infer: {{model: {scalar(name)}{more}}}"
    if one.kind in ("hold", "ignore"):
        return f"{one.kind}: {scalar(one.values[0])}" if one.values else one.kind
    if one.kind == "notify" and one.say:
        return f"notify: {{to: {listing(one.values)}, say: {scalar(one.say)}}}"
    if one.kind == "deliver" or len(one.values) != 1:
        return f"{one.kind}: {listing(one.values)}"
    return f"{one.kind}: {scalar(one.values[0])}"


def need_of(one: Need) -> tuple[list[str], str]:
    """`name: conditions` of a need, over several lines where it is long, and in one line."""
    parts = _together(one.when) if one.when.parts else ()
    alone = f"{scalar(one.name)}: {{{', '.join(flow(part) for part in parts)}}}"
    if len(alone) <= _LINE_AT_MOST and all(isinstance(part, Clause) for part in parts):
        return [alone], alone
    return [f"{scalar(one.name)}:", *(f"  {line}" for part in parts for line in block(part))], alone


def flow(node: Node) -> str:
    """`key: value` in one line."""
    if isinstance(node, Clause):
        return f"{scalar(node.attribute)}: {asked_of(node)}"
    if node.how == "not":
        return f"not: {{{', '.join(flow(part) for part in _together(node))}}}"
    return f"{node.how}: [{', '.join(f'{{{_inside(part)}}}' for part in node.parts)}]"


def _inside(node: Node) -> str:
    if isinstance(node, Group) and node.how == "all" and _apart(node.parts):
        return ", ".join(flow(part) for part in node.parts)
    return flow(node)


def block(node: Node) -> Iterator[str]:
    """The same over several lines."""
    if isinstance(node, Clause):
        yield flow(node)
        return
    yield f"{node.how}:"
    for part in _together(node) if node.how == "not" else node.parts:
        inner = list(block(part))
        if node.how == "not":
            yield from (f"  {line}" for line in inner)
        else:
            yield f"  - {inner[0]}"
            yield from (f"    {line}" for line in inner[1:])


def _together(node: Group) -> Sequence[Node]:
    """Parts that may stand in one mapping."""
    return node.parts if _apart(node.parts) else (Group("all", node.parts),)


def _apart(parts: Sequence[Node]) -> bool:
    keys = [part.attribute if isinstance(part, Clause) else part.how for part in parts]
    return len(set(keys)) == len(keys) > 0


def asked_of(clause: Clause) -> str:
    """The value of an attribute: operator, quantifier and negation around the values."""
    bare = clause.operator == "equals" and len(clause.values) == 1 and not clause.quantifier and not clause.negated
    if bare:
        return value_of(clause)
    said = f"{{{clause.operator}: {value_of(clause)}}}"
    if clause.quantifier:
        said = f"{{{clause.quantifier}: {said}}}"
    return f"{{not: {said}}}" if clause.negated else said


def value_of(clause: Clause) -> str:
    shared = len(clause.values) == 1 and clause.values[0].startswith("lists.")
    if (clause.operator in _LISTS and not shared) or len(clause.values) != 1:
        return listing(clause.values)
    return scalar(clause.values[0])
