"""What is wrong in a rule file: where, what, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from node.errors import BadConfiguration


class Severity(StrEnum):
    """Whether the rule set can be used all the same."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Mistake:
    """One mistake, with its place and its cure."""

    file: str
    line: int
    what: str
    cure: str = ""
    severity: Severity = Severity.ERROR

    @property
    def where(self) -> str:
        """The place as `file:line`."""
        return f"{self.file}:{self.line}"

    def error(self) -> BadConfiguration:
        """The mistake as the node's error."""
        return BadConfiguration(self.where, self.what, self.cure)

    def __str__(self) -> str:
        told = str(self.error())
        return told if self.severity is Severity.ERROR else f"{told} (warning)"


@dataclass(frozen=True)
class Wrong:
    """Why a name or a value cannot be used; whoever knows the line makes a mistake of it."""

    what: str
    cure: str = ""


class Report:
    """Collects the mistakes of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []

    def error(self, line: int, what: str, cure: str = "") -> None:
        """The rule set cannot be used like this."""
        self.mistakes.append(Mistake(self.file, line, what, cure))

    def warning(self, line: int, what: str, cure: str = "") -> None:
        """The rule set can be used, but surely not as meant."""
        self.mistakes.append(Mistake(self.file, line, what, cure, Severity.WARNING))

    def wrong(self, line: int, wrong: Wrong) -> None:
        """An error from a name or a value that cannot be used."""
        self.error(line, wrong.what, wrong.cure)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "Did you mean X?" when one of the known names is near, else an empty cure."""
    folded = name.casefold()
    near = {word.casefold(): word for word in known if abs(len(word) - len(name)) <= 4}
    found = difflib.get_close_matches(folded, near, n=1, cutoff=0.7)
    return f"Did you mean {near[found[0]]}?" if found else ""
