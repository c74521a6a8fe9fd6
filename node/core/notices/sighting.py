"""Something that is wrong at this moment, in words that are made of numbers and of names from the configuration.

No sentence of a peer, of a model or of a header is among them: a notice leaves the house, and holds no patient by
construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How urgent it is, least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the least urgent."""
        return tuple(Severity).index(self)


class Kind(StrEnum):
    """What a notice can be about."""

    RESIDUE = "residue"  # acknowledged instances that cannot be accounted for
    WAITING = "waiting"  # jobs wait for long, or are late
    DESTINATION = "destination"  # it does not answer
    DISK = "disk"
    CERTIFICATE = "certificate"
    MODEL = "model"  # its canary does not pass
    SERVER = "server"  # Triton does not answer
    REPLICA = "replica"  # a process is gone
    FAILED = "failed"  # jobs failed, or could not be processed
    HELD = "held"  # series or results wait for a person
    SOURCE = "source"  # a feed does not get on
    RULE = "rule"  # a rule says so


@dataclass(frozen=True)
class Sighting:
    """One cause that is there now."""

    kind: Kind
    name: str  # which destination, model ...; "" where there is only one
    severity: Severity
    what: str  # one sentence
    number: int = 1  # of things that are wrong: more of them is news
    known: bool = False  # a person paused it: somebody knows

    @property
    def cause(self) -> str:
        """What notices are grouped by."""
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)
