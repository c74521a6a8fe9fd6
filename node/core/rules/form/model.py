"""What a form shows of a rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

# `at`: where a part stands in the text, as indices joined by dots; "": it is new.


class NotAFormError(Exception):
    """Why a form cannot show a rule, or cannot make a change."""

    def __init__(self, line: int, why: str) -> None:
        self.line, self.why = line, why
        super().__init__(f"line {line}: {why}" if line else why)


@dataclass(frozen=True)
class Clause:
    """One question to one attribute."""

    attribute: str
    operator: str  # equals, in, contains …
    values: tuple[str, ...]  # as they are typed
    quantifier: str = ""  # any, all, first
    negated: bool = False
    at: str = field(default="", compare=False)


@dataclass(frozen=True)
class Group:
    """Several conditions together: all of them, any of them, or not all of them."""

    how: str  # all, any, not
    parts: tuple[Node, ...]
    fixed: bool = field(default=False, compare=False)  # operators of one attribute: others cannot be put among them
    at: str = field(default="", compare=False)


Node = Clause | Group


@dataclass(frozen=True)
class Action:
    """One thing that a rule does."""

    kind: str  # infer, deliver, tag, notify, hold, ignore
    values: tuple[str, ...] = ()  # destinations, tags, who is told; the reason of hold and ignore; model@version
    volume: str = ""
    unsuitable: bool = False  # series that the model does not take are meant to come
    say: str = ""
    at: str = field(default="", compare=False)


@dataclass(frozen=True)
class Need:
    """One series of the study, for a rule that needs several."""

    name: str
    when: Group
    at: str = field(default="", compare=False)


@dataclass(frozen=True)
class Form:
    """A rule. None, or "": the key is not in the file."""

    name: str
    description: str
    priority: str
    deadline: str
    on_unknown: str
    stop: bool | None
    active: bool | None
    when: Group
    then: tuple[Action, ...]
    needs: tuple[Need, ...] = ()
    within: str = ""
    missing: str = ""  # the key else: what happens when not all of them came


def plain(node: Node) -> Node:
    """The same condition without groups that say nothing: of one part, or all within all."""
    if isinstance(node, Clause):
        return node
    parts = tuple(_flat(node.how, (plain(part) for part in node.parts)))
    return parts[0] if len(parts) == 1 and node.how != "not" else replace(node, parts=parts)


def _flat(how: str, parts: Iterator[Node]) -> Iterator[Node]:
    for part in parts:
        if how in ("all", "not") and isinstance(part, Group) and part.how == "all":
            yield from part.parts
        else:
            yield part
