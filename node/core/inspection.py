"""What a look at one part of a node, or of a peer, has shown: in a sentence, with the cure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it stands."""

    OK = "ok"
    ATTENTION = "attention"  # works, and somebody should look at it
    FAILED = "failed"
    NOT_ASKED = "not asked"  # not offered, or useless after what failed before


@dataclass(frozen=True)
class Seen:
    """One line."""

    part: str
    verdict: Verdict
    sentence: str
    cure: str = ""
    seconds: float = 0.0
