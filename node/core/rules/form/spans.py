"""Where things stand in the text of a YAML file, and how one is put in or taken out without touching the rest."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from node.core.rules.form.model import NotAFormError


def composed(text: str) -> MappingNode:
    """The file's mapping. Raises NotAFormError."""
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, ValueError, NotImplementedError) as broken:
        raise NotAFormError(0, "the file is not readable as YAML") from broken
    if not isinstance(root, MappingNode):
        raise NotAFormError(1, "the file is no mapping")
    return root


def flows(node: Node) -> bool:
    """Whether it is written in brackets."""
    return bool(getattr(node, "flow_style", False))


def line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1


def parts_of(node: Node) -> Sequence[tuple[Node | None, Node]]:
    """Key and value of a mapping; no key and item of a list."""
    if isinstance(node, MappingNode):
        return list(node.value)
    return [(None, item) for item in node.value] if isinstance(node, SequenceNode) else []


def found(root: Node, at: str) -> Node:
    """The node at a place. Raises NotAFormError when the text has none there."""
    node = root
    for step in filter(None, at.split(".")):
        parts = parts_of(node)
        if not step.isdecimal() or int(step) >= len(parts):
            raise NotAFormError(0, "the text changed under the form: look at it again")
        node = parts[int(step)][1]
    return node


def numbers(at: str) -> tuple[int, ...]:
    """A place as numbers, to be put in order."""
    return tuple(int(step) for step in at.split("."))


def moved(at: str, was: str, top: str) -> str:
    """A place at or below `was`, which stands at `top` by now."""
    return f"{top}{at[len(was) :]}"


def start(part: tuple[Node | None, Node]) -> int:
    return int((part[0] or part[1]).start_mark.index)


def end(text: str, node: Node) -> int:
    """Behind its last character; what follows a block is not part of it."""
    parts = parts_of(node)
    if not isinstance(node, ScalarNode) and not flows(node) and parts:
        return end(text, parts[-1][1])
    first, last = int(node.start_mark.index), int(node.end_mark.index)
    return first + len(text[first:last].rstrip())


def newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def line_end(text: str, at: int) -> int:
    """Behind the line end of the line in which a place is."""
    found_at = text.find("\n", at)
    return len(text) if found_at < 0 else found_at + 1


def line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def column(text: str, at: int) -> int:
    return at - line_start(text, at)


def without(text: str, container: Node, number: int) -> str:
    """The text without one entry of a mapping, or one item of a list. Comments on lines of their own stay."""
    parts = parts_of(container)
    first, last = start(parts[number]), end(text, parts[number][1])
    if len(parts) == 1:
        whole = int(container.start_mark.index), end(text, container)
        return text[: whole[0]] + ("{}" if isinstance(container, MappingNode) else "[]") + text[whole[1] :]
    if flows(container):
        if number + 1 < len(parts):
            return text[:first] + text[start(parts[number + 1]) :]
        return text[: end(text, parts[number - 1][1])] + text[last:]
    before = text[line_start(text, first) : first]
    if isinstance(container, SequenceNode) and before.strip() == "-":
        before = ""
    if before.strip():  # the first entry of a mapping that stands behind a dash
        return text[:first] + text[start(parts[number + 1]) :]
    return text[: line_start(text, first)] + text[line_end(text, last) :]


def permuted(text: str, container: Node, order: Sequence[int]) -> str:
    """The text with the entries of a mapping in another order, each with the comments above it and behind it."""
    parts = parts_of(container)
    if flows(container):
        cuts = [(start(part), end(text, part[1])) for part in parts]
    else:
        cuts = [(_with_comments(text, start(part)), line_end(text, end(text, part[1]))) for part in parts]
    eol = "" if flows(container) else newline(text)
    pieces = [text[first:last] for first, last in cuts]
    pieces = [piece if piece.endswith(("\n", eol)) else piece + eol for piece in pieces]
    gaps = [*(text[last:first] for (_, last), (first, _) in pairwise(cuts)), text[cuts[-1][1] :]]
    return text[: cuts[0][0]] + "".join(pieces[number] + gap for number, gap in zip(order, gaps, strict=True))


def _with_comments(text: str, at: int) -> int:
    """Where the lines begin that belong to an entry: comments right above, that stand as far in as it does."""
    indent, first = column(text, at), line_start(text, at)
    while first:
        above = line_start(text, first - 1)
        line = text[above:first]
        if not line.lstrip(" ").startswith("#") or len(line) - len(line.lstrip(" ")) != indent:
            break
        first = above
    return first


def with_entry(text: str, container: Node, lines: Sequence[str], flow: str, behind: int | None = None) -> str:
    """The text with one more entry or item, at the end or behind another. `lines`: as a block, `flow`: in one line."""
    parts = parts_of(container)
    if not parts:
        return _first(text, container, lines, flow)
    last = parts[-1 if behind is None else behind]
    if flows(container):
        place = end(text, last[1])
        return f"{text[:place]}, {flow}{text[place:]}"
    indent = column(text, start(last))
    if isinstance(container, SequenceNode):
        indent = text[line_start(text, start(last)) : start(last)].rfind("-")
        lines = [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]
    return _lines_behind(text, end(text, last[1]), indent, lines)


def _lines_behind(text: str, place: int, indent: int, lines: Sequence[str]) -> str:
    eol = newline(text)
    at = line_end(text, place)
    head = text[:at] if text[:at].endswith("\n") else text[:at] + eol
    return head + "".join(f"{' ' * indent}{line}{eol}" for line in lines) + text[at:]


def _first(text: str, container: Node, lines: Sequence[str], flow: str) -> str:
    """Into an empty `{}` or `[]`: as a block where it stands at the end of a line of a block."""
    begin, stop = int(container.start_mark.index), end(text, container)
    brackets = "{}" if isinstance(container, MappingNode) else "[]"
    head = text[line_start(text, begin) : begin]
    rest = text[stop : line_end(text, stop)]
    plain_key = head.rstrip().endswith(":") and not any(sign in head for sign in "{[")
    if not plain_key or (rest.strip() and not rest.strip().startswith("#")):
        return f"{text[:begin]}{brackets[0]}{flow}{brackets[1]}{text[stop:]}"
    eol = newline(text)
    indent = len(head) - len(head.lstrip(" -")) + 2
    if isinstance(container, SequenceNode):
        lines = [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]
    block = eol.join(" " * indent + line for line in lines)
    head_end = line_start(text, begin) + len(head.rstrip())
    comment = rest.rstrip("\r\n")
    return f"{text[:head_end]}{comment}{eol}{block}{eol}{text[line_end(text, stop) :]}"


def replaced(text: str, node: Node, written: str) -> str:
    """The text with something else in a node's place."""
    first, last = int(node.start_mark.index), end(text, node)
    block = not isinstance(node, ScalarNode) and not flows(node) and bool(parts_of(node))
    if block:  # its first line may stand below its key
        head = text[:first].rstrip(" ")
        if head.endswith("\n"):
            return f"{_before_comments(head)} {written}{text[last:]}"
    gap = " " if first and text[first - 1] == ":" else ""
    return f"{text[:first]}{gap}{written}{text[last:]}"


def _before_comments(head: str) -> str:
    """Up to the key's colon; comments between a key and its block cannot stay there."""
    lines = head.rstrip("\r\n").split("\n")
    if any(line.lstrip().startswith("#") for line in lines[-1:]) or "#" in lines[-1]:
        raise NotAFormError(len(lines), "a comment stands where the form would write: change it in the text")
    return head.rstrip()
