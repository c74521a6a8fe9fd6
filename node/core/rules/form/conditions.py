"""Other conditions in a text: only what changed is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ruamel.yaml.nodes import MappingNode, SequenceNode
from ruamel.yaml.nodes import Node as YamlNode

from node.core.rules.form.model import Clause, Group, Node, NotAFormError
from node.core.rules.form.rendering import asked_of, block, flow, value_of
from node.core.rules.form.spans import composed, found, moved, numbers, parts_of, replaced, with_entry, without
from node.core.rules.form.yaml import listing, scalar

REFUSED = "the form cannot write this: change it in the text"


def write_conditions(text: str, before: Group, now: Group, top: str) -> str:
    """The text with other conditions; `top`: where they stand by now.

    Changes first, which move nothing; then what is new, at the ends; then what is gone, from behind.
    """
    old: dict[str, Node] = {before.at: before, **{node.at: node for node in _all(before)}}
    stays = _staying(before, now, old)
    for at in stays:
        fresh, was = stays[at], old[at]
        if isinstance(fresh, Clause) and isinstance(was, Clause) and fresh != was:
            text = _changed(text, was, fresh, moved(at, before.at, top))
    for group, node in _new(now, stays, before.at):
        text = _put(text, moved(group, before.at, top), node)
    for at in sorted((at for at in _gone(before, stays)), key=numbers, reverse=True):
        text = _taken(text, moved(at, before.at, top), top)
    return text


def _staying(before: Group, now: Group, old: dict[str, Node]) -> dict[str, Node]:
    """By place what stands in the group where it stood; a clause that is another in more than one respect is new."""
    stays: dict[str, Node] = {before.at: now}

    def look(was: Group, fresh: Group) -> None:
        there = {part.at for part in was.parts}
        for part in fresh.parts:
            if not part.at or part.at not in there or part.at in stays:
                continue
            one = old[part.at]
            if isinstance(part, Group) and isinstance(one, Group) and part.how == one.how:
                stays[part.at] = part
                look(one, part)
            elif isinstance(part, Clause) and isinstance(one, Clause):
                stays[part.at] = part

    look(before, now)
    return stays


def _all(group: Group) -> Iterator[Node]:
    for part in group.parts:
        yield part
        if isinstance(part, Group):
            yield from _all(part)


def _new(group: Group, stays: dict[str, Node], at: str) -> Iterator[tuple[str, Node]]:
    for part in group.parts:
        if stays.get(part.at) is not part:
            if group.fixed:
                raise NotAFormError(0, "these conditions belong to one attribute: write others beside them in the text")
            yield at, part
        elif isinstance(part, Group):
            yield from _new(part, stays, part.at)


def _gone(group: Group, stays: dict[str, Node]) -> Iterator[str]:
    for part in group.parts:
        if part.at not in stays:
            yield part.at
        elif isinstance(part, Group):
            yield from _gone(part, stays)


def _changed(text: str, was: Clause, now: Clause, at: str) -> str:
    root = composed(text)
    node = found(root, at)
    asked = replace(was, values=now.values) == now
    if asked:
        return _values(text, node, was, now)
    if was.attribute == now.attribute and was.quantifier == now.quantifier and was.negated == now.negated:
        holder, number = _holder(root, at)
        key = parts_of(holder)[number][0]
        if key is not None and str(key.value) == was.operator and now.operator not in _keys_of(holder):
            text = replaced(text, node, value_of(now))
            holder, number = _holder(composed(text), at)
            key = parts_of(holder)[number][0]
            return replaced(text, key, now.operator) if key is not None else text
    entry, number = _entry(root, at, was.attribute)
    key, value = parts_of(entry)[number]
    several = isinstance(value, MappingNode) and len(value.value) > 1
    if several or (now.attribute != was.attribute and now.attribute in _keys_of(entry)) or key is None:
        raise NotAFormError(0, REFUSED)
    text = replaced(text, value, asked_of(now))
    if now.attribute != was.attribute:
        entry, number = _entry(composed(text), at, was.attribute)
        key = parts_of(entry)[number][0]
        text = replaced(text, key, scalar(now.attribute)) if key is not None else text
    return text


def _values(text: str, node: YamlNode, was: Clause, now: Clause) -> str:
    """Other values. Those of a list that stay are not touched."""
    if not isinstance(node, SequenceNode) or not now.values:
        return replaced(text, node, value_of(now))
    kept = [value for value in was.values if value in now.values]
    fresh = [value for value in now.values if value not in was.values]
    if (*kept, *fresh) != now.values or not kept:
        return replaced(text, node, listing(now.values))
    at = node.start_mark.index
    for value in fresh:
        text = with_entry(text, _at_index(composed(text), at), [scalar(value)], scalar(value))
    for number in reversed([number for number, value in enumerate(was.values) if value not in now.values]):
        text = without(text, _at_index(composed(text), at), number)
    return text


def _at_index(node: YamlNode, index: int) -> YamlNode:
    """The list that begins at a place of the text."""
    if isinstance(node, SequenceNode) and node.start_mark.index == index:
        return node
    for _, part in parts_of(node):
        if part.start_mark.index <= index <= part.end_mark.index:
            return _at_index(part, index)
    raise NotAFormError(0, REFUSED)


def _put(text: str, at: str, node: Node) -> str:
    """One more condition into a group."""
    container = found(composed(text), at)
    if isinstance(container, SequenceNode):
        lines = list(block(node))
        return with_entry(text, container, lines, f"{{{flow(node)}}}")
    key = node.attribute if isinstance(node, Clause) else node.how
    taken = _keys_of(container)
    if key not in taken:
        return with_entry(text, container, list(block(node)), flow(node))
    if "all" not in taken:
        wrapped = Group("all", (node,))
        return with_entry(text, container, list(block(wrapped)), flow(wrapped))
    together = parts_of(container)[taken.index("all")][1]
    if not isinstance(together, SequenceNode):
        raise NotAFormError(0, REFUSED)
    return with_entry(text, together, list(block(node)), f"{{{flow(node)}}}")


def _taken(text: str, at: str, top: str) -> str:
    """Without one condition, and without what held nothing else."""
    while True:
        root = composed(text)
        holder, number = _holder(root, at)
        above = at.rpartition(".")[0]
        if len(parts_of(holder)) > 1 or above == top:
            return without(text, holder, number)
        at = above


def _holder(root: YamlNode, at: str) -> tuple[YamlNode, int]:
    above, _, number = at.rpartition(".")
    return found(root, above), int(number)


def _entry(root: YamlNode, at: str, attribute: str) -> tuple[YamlNode, int]:
    """The entry of a clause's attribute, above its operators."""
    while at:
        holder, number = _holder(root, at)
        key = parts_of(holder)[number][0]
        if key is not None and str(key.value) == attribute:
            return holder, number
        at = at.rpartition(".")[0]
    raise NotAFormError(0, REFUSED)


def _keys_of(container: YamlNode) -> list[str]:
    return [str(key.value) for key, _ in parts_of(container) if key is not None]
