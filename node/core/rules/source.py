"""A rule file as a tree of values that know their line.

Scalars keep the text that was typed: only the attribute they are compared with says whether 0012 is a number, a
patient ID or a date. Aliases are refused and depth and size are bounded, so that no file can grow when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, MappingEndEvent, MappingStartEvent, SequenceEndEvent, SequenceStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from node.core.rules.mistakes import Mistake, Report

SIZE_AT_MOST = 64 * 1024  # characters in one rule file
DEPTH_AT_MOST = 32
REMEMBERED_AT_MOST = 512  # files


class Typed(StrEnum):
    """How YAML reads a scalar."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "true or false"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Scalar:
    """A single value, as it was typed."""

    line: int
    text: str
    typed: Typed


@dataclass(frozen=True)
class Listing:
    """A YAML list."""

    line: int
    items: tuple[Tree, ...]


@dataclass(frozen=True)
class Entry:
    """A key with its value."""

    line: int
    key: str
    value: Tree


@dataclass(frozen=True)
class Section:
    """A YAML mapping, in the order it was written."""

    line: int
    entries: tuple[Entry, ...]

    def get(self, key: str) -> Entry | None:
        """The entry of that key."""
        return next((entry for entry in self.entries if entry.key == key), None)


Tree = Scalar | Listing | Section

_TYPED = {
    "tag:yaml.org,2002:int": Typed.NUMBER,
    "tag:yaml.org,2002:float": Typed.NUMBER,
    "tag:yaml.org,2002:bool": Typed.FLAG,
    "tag:yaml.org,2002:null": Typed.NOTHING,
}


def read_section(text: str, report: Report) -> Section | None:
    """The file's mapping, or nothing when a mistake was reported."""
    section, mistakes = _read(text)
    report.mistakes += (replace(one, file=report.file) for one in mistakes)
    return section


@lru_cache(maxsize=REMEMBERED_AT_MOST)
def _read(text: str) -> tuple[Section | None, tuple[Mistake, ...]]:
    """A draft shares most of its files with what is in use: each is read once."""
    report = Report("")
    return _section(text, report), tuple(report.mistakes)


def _section(text: str, report: Report) -> Section | None:
    if len(text) > SIZE_AT_MOST:
        report.error(1, f"is longer than {SIZE_AT_MOST} characters", "One rule a file")
        return None
    try:
        if not _bounded(text, report):
            return None
        root = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as broken:
        mark = getattr(broken, "problem_mark", None)
        problem = getattr(broken, "problem", None) or "not readable"
        report.error(mark.line + 1 if mark else 1, f"not readable as YAML: {problem}", "Check indentation and quotes")
        return None
    except (ValueError, NotImplementedError):  # a directive or an escape that ruamel.yaml does not expect
        report.error(1, "not readable as YAML", "Check indentation and quotes")
        return None
    if not isinstance(root, MappingNode):
        report.error(1, "must be a mapping of keys to values", "Start with `name:`")
        return None
    tree = _tree(root, report)
    return tree if isinstance(tree, Section) else None


def _bounded(text: str, report: Report) -> bool:
    """Whether the file nests a bounded number of levels and repeats nothing by alias."""
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, AliasEvent):
            report.error(
                line, f"repeats a value by alias (*{event.anchor})", "Write it out, or name a list in _set.yaml"
            )
            return False
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            depth += 1
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            depth -= 1
        if depth > DEPTH_AT_MOST:
            report.error(line, f"nests deeper than {DEPTH_AT_MOST} levels", "Split it into two rules")
            return False
    return True


def _tree(node: Node, report: Report) -> Tree:
    line = node.start_mark.line + 1
    if isinstance(node, MappingNode):
        return Section(line, _entries(node, report))
    if isinstance(node, SequenceNode):
        return Listing(line, tuple(_tree(item, report) for item in node.value))
    return Scalar(line, str(node.value), _TYPED.get(str(node.tag), Typed.TEXT))


def _entries(node: MappingNode, report: Report) -> tuple[Entry, ...]:
    entries: dict[str, Entry] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, ScalarNode):
            report.error(line, "a key must be plain text", "Write `key: value`")
        elif key.value in entries:
            report.error(
                line, f"{key.value} is given twice", "Keep one; use `all:` for two conditions on one attribute"
            )
        else:
            entries[str(key.value)] = Entry(line, str(key.value), _tree(value, report))
    return tuple(entries.values())
