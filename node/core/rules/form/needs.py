"""Other needs in a text, the series that a rule needs of a study: only what changed is written, comments move along."""

from __future__ import annotations

from collections.abc import Sequence

from node.core.rules.form.conditions import write_conditions
from node.core.rules.form.model import Need, NotAFormError
from node.core.rules.form.rendering import need_of
from node.core.rules.form.spans import (
    composed,
    found,
    moved,
    numbers,
    parts_of,
    permuted,
    replaced,
    with_entry,
    without,
)
from node.core.rules.form.yaml import scalar


def write_needs(text: str, before: Sequence[Need], now: Sequence[Need], top: str) -> str:
    """The text with other needs; `top`: where they stand by now. Raises NotAFormError."""
    names = [need.name for need in now]
    if twice := [name for name in names if names.count(name) > 1]:
        raise NotAFormError(0, f"two needs are called {twice[0]}: each has a name of its own")
    known = {need.at: need for need in before}
    kept = {need.at: need for need in now if need.at in known}
    for at, need in kept.items():
        text = _changed(text, known[at], need, moved(at, at.partition(".")[0], top))
    fresh = [need for need in now if kept.get(need.at) is not need]
    for need in fresh:
        lines, flow = need_of(need)
        text = with_entry(text, found(composed(text), top), lines, flow)
    for at in sorted(set(known) - set(kept), key=numbers, reverse=True):
        text = without(text, found(composed(text), top), numbers(at)[-1])
    stand = [kept[need.at].name for need in before if need.at in kept] + [need.name for need in fresh]
    if stand == names:
        return text
    return permuted(text, found(composed(text), top), [stand.index(name) for name in names])


def _changed(text: str, was: Need, now: Need, at: str) -> str:
    if now.when != was.when:
        text = write_conditions(text, was.when, now.when, at)
    if now.name == was.name:
        return text
    above, _, number = at.rpartition(".")
    key = parts_of(found(composed(text), above))[int(number)][0]
    return text if key is None else replaced(text, key, scalar(now.name))
