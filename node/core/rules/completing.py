"""What may come next where a person types in a rule file: from the lines above, whether the file is whole or not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from node.core.rules.attributes import named
from node.core.rules.mistakes import Wrong
from node.core.rules.questions import OPERATORS

READ_AT_MOST = 64 * 1024  # characters before the cursor


class Wanted(StrEnum):
    """What kind of thing comes next."""

    KEY = "key"  # of a rule
    ATTRIBUTE = "attribute"
    OPERATOR = "operator"
    VALUE = "value"  # of an attribute
    WORD = "word"  # one of the few that a key takes
    ACTION = "action"
    MODEL = "model"
    DESTINATION = "destination"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Place:
    """Where a person types."""

    wanted: Wanted
    typed: str  # of the word so far
    begins: int  # where in the text
    about: str = ""  # the attribute, or the key
    operator: str = ""


_KEY = re.compile(
    r"^(?P<indent> *)(?P<dashes>(?:- +)*)(?P<key>\"[^\"]*\"|'[^']*'|[^\s#:{\[\]},\"'][^#{}\[\],]*?) *:(?: |$)"
)
_AROUND = frozenset({"any", "all", "first", "not"})
_WORDS = frozenset({"priority", "on_unknown", "else", "stop", "active", "otherwise", "volume", "unsuitable"})


def place_of(text: str, at: int) -> Place:
    """What is wanted at a place of the text."""
    before = text[max(0, at - READ_AT_MOST) : at]
    line = before.rpartition("\n")[2]
    if _in_comment(line):
        return Place(Wanted.NOTHING, "", at)
    path, typed = _path(before)
    wanted, about, operator = _wanted(path)
    return Place(wanted, typed, at - len(typed), about, operator)


def _in_comment(line: str) -> bool:
    return bool(re.search(r"(^|\s)#", re.sub(r"\"[^\"]*\"|'[^']*'", "", line)))


def _path(before: str) -> tuple[list[str], str]:
    """The keys around the cursor, the last one "" where a key is typed, and what of the word is there."""
    *above, line = before.split("\n")
    stack: list[tuple[int, str]] = []
    for one in above:
        found = _KEY.match(one)
        if found is None:
            continue
        column = len(found["indent"]) + len(found["dashes"])
        stack = [(at, key) for at, key in stack if at < column]
        stack.append((column, found["key"].strip("\"'")))
    found = _KEY.match(line)
    indent = len(line) - len(line.lstrip(" -"))
    plain = len(line) - len(line.lstrip(" "))
    keys = [key for at, key in stack if at < (plain + 1 if line.lstrip().startswith("-") else indent)]
    rest = line[indent:] if found is None else line[found.end() :]
    if found is not None:
        keys.append(found["key"].strip("\"'"))
    elif not rest.startswith("{"):
        listed = bool(keys) and line.lstrip().startswith("-") and keys[-1] in {*OPERATORS, "deliver", "tag", "to"}
        return (keys if listed else [*keys, ""]), rest
    inner, typed = _flow(rest)
    return [*keys, *inner], typed


def _flow(rest: str) -> tuple[list[str], str]:
    """Keys inside the brackets of a line; the last is "" where a key is typed, and absent where a value is."""
    inside = _Brackets()
    for sign in rest:
        inside.read(sign)
    return inside.keys, inside.word.lstrip(" \"'")


class _Brackets:
    """What is open in a line of flow style, sign by sign."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.word = self._quote = ""
        self._open: list[str] = []

    def read(self, sign: str) -> None:
        if self._quote or (sign in "\"'" and not self.word.strip()):
            self._quoted(sign)
        elif sign in "{[":
            self._open.append(sign)
            self.keys += [""] if sign == "{" else []
            self.word = ""
        elif sign in "}]":
            if self._open and self._open.pop() == "{" and self.keys:
                self.keys.pop()
            self.word = ""
        else:
            self._between(sign)

    def _quoted(self, sign: str) -> None:
        self.word += sign
        self._quote = "" if sign == self._quote else self._quote or sign

    def _between(self, sign: str) -> None:
        mapping = self._open[-1:] == ["{"] and bool(self.keys)
        if sign == "," and self._open:
            self.keys[-1:] = [""] if mapping else self.keys[-1:]
            self.word = ""
        elif sign == ":" and mapping and not self.keys[-1]:
            self.keys[-1] = self.word.strip().strip("\"'")
            self.word = ""
        else:
            self.word += sign


def _wanted(path: list[str]) -> tuple[Wanted, str, str]:
    if not path:
        return Wanted.NOTHING, "", ""
    if path == [""]:
        return Wanted.KEY, "", ""
    top = path[0]
    if top == "then":
        return _of_action(path[1:])
    if top in ("when", "needs"):
        return _of_condition(path[2:] if top == "needs" and len(path) > 2 else path[1:])
    return (Wanted.WORD, top, "") if top in _WORDS and len(path) == 1 else (Wanted.NOTHING, top, "")


def _of_action(path: list[str]) -> tuple[Wanted, str, str]:
    if not path or path[-1] == "":
        return (Wanted.ACTION, "", "") if len(path) <= 1 else (Wanted.WORD, path[0], "key")
    last = path[-1]
    if last in ("infer", "model"):
        return Wanted.MODEL, last, ""
    if last == "deliver":
        return Wanted.DESTINATION, last, ""
    return (Wanted.WORD, last, "") if last in _WORDS else (Wanted.NOTHING, last, "")


def _of_condition(path: list[str]) -> tuple[Wanted, str, str]:
    attribute, operator = "", ""
    for step in path:
        if step in OPERATORS and attribute:
            operator = step
        elif step and step not in _AROUND and not isinstance(named(step), Wrong):
            attribute, operator = step, ""
    typing_key = not path or path[-1] == ""
    if typing_key:
        return (Wanted.OPERATOR, attribute, "") if attribute else (Wanted.ATTRIBUTE, "", "")
    if not attribute:
        return (Wanted.ATTRIBUTE, "", "") if path[-1] in _AROUND else (Wanted.NOTHING, path[-1], "")
    return Wanted.VALUE, attribute, operator
