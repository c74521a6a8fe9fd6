"""Why something waits for a person, as a key that is the same for every series and job that is stuck alike.

A key is made of what kind of fault it is, where it is, and its sentence without what differs from case to case:
numbers, UIDs, moments, and what stands in quotes. It is free of patient data, and stays the same from release to
release as long as the sentence does.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

from node.core.states import JobState
from node.errors import (
    BadInstance,
    DestinationRefused,
    ModelFailed,
    NodeError,
    NotProcessable,
    OnHold,
    ResultRejected,
    SourceRefused,
)


class Kind(StrEnum):
    """What happened, in one word; texts/en/inbox.toml says more."""

    UNKNOWN = "unknown"  # no rule took the series
    HELD = "held"  # a rule keeps the series
    ON_HOLD = "on_hold"  # a rule keeps the result of a job
    NOT_PROCESSABLE = "not_processable"
    MODEL = "model"
    CHECK = "check"  # the node's own check found a wrong result
    REFUSED = "refused"  # by a destination
    INSTANCE = "instance"
    SOURCE = "source"
    BROKEN = "broken"  # the node failed on it
    FAILED = "failed"  # nobody said how


_KINDS: tuple[tuple[type[NodeError], Kind], ...] = (
    (NotProcessable, Kind.NOT_PROCESSABLE),
    (OnHold, Kind.ON_HOLD),
    (ModelFailed, Kind.MODEL),
    (ResultRejected, Kind.CHECK),
    (DestinationRefused, Kind.REFUSED),
    (BadInstance, Kind.INSTANCE),
    (SourceRefused, Kind.SOURCE),
)
_OF_STATE = {
    JobState.NOT_PROCESSABLE: Kind.NOT_PROCESSABLE,
    JobState.HELD: Kind.ON_HOLD,
    JobState.FAILED: Kind.FAILED,
}
_DIFFERS = re.compile(r"'[^']*'|\"[^\"]*\"|(?<![A-Za-z_-])[-+]?\d+(?:[.,:]\d+)*(?:e[-+]?\d+)?")
_KEY = re.compile(r"[a-z_]{1,20}\.[0-9a-f]{12}")


def kind_of(fault: NodeError) -> Kind:
    """The kind of what ended an attempt."""
    return next((kind for error, kind in _KINDS if isinstance(fault, error)), Kind.FAILED)


def key(kind: Kind, where: str, sentence: str) -> str:
    """`kind.digest`: 33 characters at most. `where`: a model or a rule, "" where the sentence names the place."""
    told = "\x1f".join((kind, where, _DIFFERS.sub("#", sentence)))
    return f"{kind}.{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:12]}"


def of_series(rule: str, reason: str) -> str:
    """Of a series that is held. `rule`: which holds it, "" for none."""
    return key(Kind.HELD if rule else Kind.UNKNOWN, rule, reason)


def of_job(state: JobState, kind: Kind | None, model: str, reason: str) -> str | None:
    """Of a job that gets into this state; None where nobody has to do anything."""
    if state not in _OF_STATE:
        return None
    known = kind or _OF_STATE[state]
    return key(known, "" if known in (Kind.REFUSED, Kind.ON_HOLD) else model, reason)


def read(text: str) -> Kind | None:
    """The kind of a key; None for what is no key."""
    return Kind(text.partition(".")[0]) if _KEY.fullmatch(text) and text.partition(".")[0] in list(Kind) else None
