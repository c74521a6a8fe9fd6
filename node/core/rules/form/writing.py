"""From a changed form to text: only what changed is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from node.core.rules.form.conditions import REFUSED, write_conditions
from node.core.rules.form.model import Action, Form, Group, NotAFormError, plain
from node.core.rules.form.needs import write_needs
from node.core.rules.form.reading import read_form
from node.core.rules.form.rendering import action_of
from node.core.rules.form.spans import (
    composed,
    flows,
    found,
    line_start,
    moved,
    newline,
    numbers,
    replaced,
    start,
    with_entry,
    without,
)
from node.core.rules.form.yaml import scalar

_ORDER = ("name", "description", "priority", "deadline", "when", "needs", "within", "else", "on_unknown", "then",
          "stop", "active")  # fmt: skip
_FIELDS = {"else": "missing"}


def write_form(text: str, form: Form) -> str:
    """The text with what the form says, which was read from this very text and changed.

    Raises NotAFormError where the text has a form for it that this cannot write.
    """
    before = read_form(text)
    changed = _keys(text, before, form)
    if before.needs and not form.needs:
        changed = with_key(changed, "needs", None)
    elif form.needs:
        changed = write_needs(changed, before.needs, form.needs, _place(changed, "needs"))
    changed = _actions(changed, before.then, form.then, _place(changed, "then"))
    if when := _place(changed, "when"):
        changed = write_conditions(changed, before.when, form.when, when)
    if not _alike(read_form(changed), form):
        raise NotAFormError(0, REFUSED)
    return changed


def _alike(one: Form, other: Form) -> bool:
    bare = Group("all", ())
    if [(need.name, plain(need.when)) for need in one.needs] != [(need.name, plain(need.when)) for need in other.needs]:
        return False
    rest = replace(one, when=bare, needs=()), replace(other, when=bare, needs=())
    return rest[0] == rest[1] and plain(one.when) == plain(other.when)


def _keys(text: str, before: Form, form: Form) -> str:
    """Keys at the top. Values alone change in their places; new ones stand in the order of the documentation."""
    for key in ("name", "description", "priority", "deadline", "on_unknown", "within", "else"):
        value = getattr(form, _FIELDS.get(key, key))
        if getattr(before, _FIELDS.get(key, key)) != value:
            text = with_key(text, key, scalar(value) if value else None)
    for key in ("stop", "active"):
        value = getattr(form, key)
        if getattr(before, key) != value:
            text = with_key(text, key, None if value is None else str(value).lower())
    demanded = (("when", "{}", bool(form.when.parts) or not form.needs), ("needs", "{}", bool(form.needs)),
                ("then", "[]", True))  # fmt: skip
    for key, empty, is_demanded in demanded:
        if is_demanded and not _place(text, key):
            text = with_key(text, key, empty)
    return text


def with_key(text: str, key: str, written: str | None) -> str:
    """A rule file with one key at its top; None takes it out. `written`: as YAML. Raises NotAFormError."""
    root = composed(text)
    names = [str(name.value) for name, _ in root.value]
    if key in names:
        number = names.index(key)
        if written is None:
            return without(text, root, number)
        return replaced(text, root.value[number][1], written)
    if written is None:
        return text
    behind = [number for number, name in enumerate(names) if name in _ORDER[: _ORDER.index(key)]]
    if not behind and root.value and not flows(root):
        at = line_start(text, start(root.value[0]))
        return f"{text[:at]}{key}: {written}{newline(text)}{text[at:]}"
    return with_entry(text, root, [f"{key}: {written}"], f"{key}: {written}", behind[-1] if behind else None)


def _place(text: str, key: str) -> str:
    names = [str(name.value) for name, _ in composed(text).value]
    return str(names.index(key)) if key in names else ""


def _actions(text: str, before: Sequence[Action], now: Sequence[Action], top: str) -> str:
    known = {one.at: one for one in before}
    kept = [one for one in now if one.at in known]
    for one in kept:
        if one != known[one.at]:
            text = replaced(text, found(composed(text), moved(one.at, one.at.partition(".")[0], top)), action_of(one))
    gone = set(known) - {one.at for one in kept}
    for one in now:
        if one.at not in known:
            written = action_of(one)
            text = with_entry(
                text, found(composed(text), top), [written], f"{{{written}}}" if ":" in written else written
            )
    for at in sorted(gone, key=numbers, reverse=True):
        text = without(text, found(composed(text), top), numbers(at)[-1])
    return text
