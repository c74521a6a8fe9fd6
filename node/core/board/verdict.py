"""What is said of one thing on the board: how it stands, in one sentence, and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How a thing stands."""

    OK = "ok"
    ATTENTION = "attention"  # today
    ACT = "act"  # now


@dataclass(frozen=True)
class Verdict:
    """One sentence, and the cure where one is needed."""

    standing: Standing
    sentence: str
    cure: str = ""


def ok(sentence: str) -> Verdict:
    """Nothing is to be done."""
    return Verdict(Standing.OK, sentence)


def attention(sentence: str, cure: str) -> Verdict:
    """Somebody should look today."""
    return Verdict(Standing.ATTENTION, sentence, cure)


def act(sentence: str, cure: str) -> Verdict:
    """Somebody should look now."""
    return Verdict(Standing.ACT, sentence, cure)


def worst(verdicts: list[Verdict]) -> Standing:
    """The standing of all of them together."""
    order = [Standing.OK, Standing.ATTENTION, Standing.ACT]
    return max((one.standing for one in verdicts), key=order.index, default=Standing.OK)
