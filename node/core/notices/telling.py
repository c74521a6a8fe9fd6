"""Whether somebody is to be told of an alarm now.

nothing new, or somebody knows ─▶ no
something new ─▶ at once; but a cause has one message in `digest` at most: what comes meanwhile is told then
              ─▶ not in quiet hours, unless it is critical
it ended ─▶ whoever was told that it is there is told that it is over
it lasts ─▶ a reminder now and then, until somebody says that he knows
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from node.core.notices.alarm import Alarm
from node.core.notices.sighting import Kind, Severity
from node.core.windows import Window, closed_until


class What(StrEnum):
    """What a message says of an alarm."""

    RAISED = "raised"
    CHANGED = "changed"  # more of it, or worse
    REMINDER = "reminder"
    RESOLVED = "resolved"
    RULE = "rule"  # a rule says so


@dataclass(frozen=True)
class Told:
    """What somebody was told of an alarm last."""

    messages: int = 0  # so far
    is_open: bool = False  # whether he believes it to be there
    number: int = 0
    severity: Severity = Severity.INFO
    at: datetime | None = None


NEVER = Told()


@dataclass(frozen=True)
class Listener:
    """Somebody who is told."""

    name: str
    causes: Collection[str] = ("*",)  # kinds; "*": all of the node's own
    minimum: Severity = Severity.WARNING
    quiet: tuple[Window, ...] = ()  # times of day, local
    digest: timedelta = timedelta(minutes=30)
    remind: timedelta = timedelta(hours=24)  # zero: never
    patience: timedelta = timedelta()  # what is over by then was nothing: a server that starts, a network that flickers


def listens(listener: Listener, alarm: Alarm) -> bool:
    """Whether an alarm is his. A rule names whom it tells."""
    if alarm.kind is Kind.RULE:
        return listener.name in alarm.recipients
    return alarm.severity.rank >= listener.minimum.rank and ("*" in listener.causes or alarm.kind in listener.causes)


def caught_up(told: Told, alarm: Alarm) -> Told:
    """What he was told, where there is less of it by now: more of it later is news again."""
    if alarm.kind is Kind.RULE or not told.is_open:
        return told
    severity = min(told.severity, alarm.severity, key=lambda one: one.rank)
    return replace(told, number=min(told.number, alarm.number), severity=severity)


def telling(listener: Listener, alarm: Alarm, told: Told, now: datetime) -> What | None:
    """What is to be said at last, whenever that may be; None for nothing."""
    if not alarm.is_open:
        return What.RESOLVED if told.is_open and alarm.kind is not Kind.RULE else None
    if not listens(listener, alarm) or alarm.is_silent:
        return None
    if alarm.kind is Kind.RULE:
        return What.RULE if alarm.number > told.number else None
    if not told.is_open:
        return What.RAISED
    if alarm.number > told.number or alarm.severity.rank > told.severity.rank:
        return What.CHANGED
    if listener.remind and told.at is not None and now - told.at >= listener.remind and not alarm.acknowledged_at:
        return What.REMINDER
    return None


def due(listener: Listener, alarm: Alarm, told: Told, now: datetime) -> What | None:
    """What is to be said now. `now` is in the listener's zone."""
    what = telling(listener, alarm, told, now)
    if what is None:
        return None
    if told.at is not None and now - told.at < listener.digest:
        return None
    if what is What.RAISED and now - alarm.first_at < listener.patience:
        return None
    if alarm.severity is not Severity.CRITICAL and closed_until(listener.quiet, now) is not None:
        return None
    return what
