"""Places: destinations, groups of them, and sources, as they are written down, without how they are reached."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

NAME = re.compile(r"\w(?:[\w .@:+-]{0,62}[\w.@:+-])?")  # it stands in paths of the API, in rules and in logs
FILE, ROW = "file", "row"
FAILOVER = "failover"  # the kind of a group: the first member that takes a result


class Family(StrEnum):
    """What a place is to the node."""

    DESTINATION = "destination"
    SOURCE = "source"
    GROUP = "group"

    @property
    def section(self) -> str:
        """Of node.toml."""
        return "destination_group" if self is Family.GROUP else self.value

    @property
    def names_with(self) -> tuple[Family, ...]:
        """Rules name a destination and a group alike: no two of them have one name."""
        return (Family.SOURCE,) if self is Family.SOURCE else (Family.DESTINATION, Family.GROUP)


class Shape(StrEnum):
    """How a key is asked for."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    LIST = "list"
    SECRET = "secret"  # noqa: S105 # the word
    PATH = "path"


@dataclass(frozen=True)
class Key:
    """One key of a kind of place, as a form or a command asks for it."""

    name: str  # with a dot where it lies in a table: "query.host"
    shape: Shape
    help: str
    group: str  # keys that belong together: "where", "order", "trust", "forms", "when"
    default: object = None  # None: there is none
    choices: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Place:
    """A destination, a group of them, or a source."""

    family: Family
    name: str
    kind: str
    keys: Mapping[str, object]  # as in node.toml, those that were written; no secrets
    secrets: tuple[str, ...] = ()  # the names of those that are set
    origin: str = ROW  # FILE: node.toml, which no page changes
    revision: int = 0  # of a row, from 1
    fault: str = ""  # why it is not in use


def groups_with(name: str, groups: Mapping[str, Collection[str]]) -> list[str]:
    """Those of `groups`, with their members, that a destination is a member of."""
    return [group for group, members in groups.items() if name in members]


def flat(keys: Mapping[str, object], before: str = "") -> dict[str, object]:
    """{"query": {"host": …}} → {"query.host": …}."""
    found: dict[str, object] = {}
    for name, value in keys.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def nested(keys: Mapping[str, object]) -> dict[str, object]:
    """{"query.host": …} → {"query": {"host": …}}; a table that is there already is added to."""
    found: dict[str, object] = {}
    for name, value in keys.items():
        table, dot, key = name.partition(".")
        if not dot:
            found[name] = value
            continue
        inner = found.get(table)
        found[table] = {**(inner if isinstance(inner, Mapping) else {}), key: value}
    return found
