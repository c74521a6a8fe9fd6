"""Rules in another order: the order is that of their file names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_NUMBERED = re.compile(r"(\d{1,6})-?(.*)\.yaml")
_STEP = 10


def renamed(files: Mapping[str, str], order: Sequence[str]) -> dict[str, str]:
    """The files under names that put them in this order; `_set.yaml` and other names that begin with _ stay.

    One file that moves gets a number between its new neighbours where there is one; else all are numbered anew.
    `order` names every rule file once. Raises ValueError otherwise.
    """
    rules = sorted(name for name in files if not name.startswith("_"))
    if sorted(order) != rules:
        raise ValueError("name every rule file once")
    names = _one_moved(rules, order) or _numbered(order)
    return {**{name: text for name, text in files.items() if name.startswith("_")},
            **{new: files[old] for old, new in zip(order, names, strict=True)}}  # fmt: skip


def new_name(files: Mapping[str, str], rule: str) -> str:
    """A file name for a new rule behind all others."""
    rules = sorted(name for name in files if not name.startswith("_"))
    last = _NUMBERED.fullmatch(rules[-1]) if rules else None
    if not rules or last:
        width = len(last[1]) if last else 2
        number = (int(last[1]) // _STEP + 1) * _STEP if last else _STEP
        name = f"{number:0{width}}-{rule}.yaml"
        if not rules or name > rules[-1]:
            return name
    return f"{rules[-1].removesuffix('.yaml')}_{rule}.yaml"


def _one_moved(rules: Sequence[str], order: Sequence[str]) -> list[str] | None:
    if list(order) == list(rules):
        return list(order)
    for place, moved in enumerate(order):
        rest = [name for name in order if name != moved]
        if rest != [name for name in rules if name != moved]:
            continue
        before = order[place - 1] if place else ""
        after = order[place + 1] if place + 1 < len(order) else None
        new = _between(before, after, moved)
        return [*order[:place], new, *order[place + 1 :]] if new else None
    return None


def _between(before: str, after: str | None, moved: str) -> str | None:
    """A name for the moved file between two others."""
    stem = _stem(moved)
    one, other = (_NUMBERED.fullmatch(name) if name else None for name in (before, after or ""))
    if (before and not one) or (after and not other):
        return None
    low = int(one[1]) if one else 0
    high = int(other[1]) if other else low + 2 * _STEP
    width = max(len(found[1]) for found in (one, other) if found) if one or other else 2
    for number in ((low + high) // 2, low, high):
        name = f"{number:0{width}}-{stem}.yaml"
        if before < name and (after is None or name < after) and name != moved:
            return name
    return None


def _numbered(order: Sequence[str]) -> list[str]:
    width = max(2, len(str(_STEP * len(order))))
    return [f"{_STEP * number:0{width}}-{_stem(name)}.yaml" for number, name in enumerate(order, 1)]


def _stem(name: str) -> str:
    found = _NUMBERED.fullmatch(name)
    return (found[2] if found else name.removesuffix(".yaml")) or "rule"
