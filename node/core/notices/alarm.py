"""A cause, from its first sighting to its end.

sighted ──▶ open ──▶ more of it, or worse ──▶ open        not sighted ──▶ ended ──▶ sighted again ──▶ open
              └── acknowledged: silent until there is more of it, or it is worse
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from node.core.notices.sighting import Kind, Severity, Sighting


@dataclass(frozen=True)
class Alarm:
    """What is known of a cause."""

    id: int
    kind: Kind
    name: str
    severity: Severity
    what: str
    number: int
    first_at: datetime  # since when it is open
    last_at: datetime  # when it was seen last
    known: bool = False
    ended_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_number: int = 0
    acknowledged_severity: Severity = Severity.INFO
    recipients: tuple[str, ...] = ()  # of a rule's: who is told; empty: everybody who listens to such causes

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    @property
    def is_silent(self) -> bool:
        """Whether somebody knows already, and nothing is new since."""
        if self.known:
            return True
        return (
            self.acknowledged_at is not None
            and self.number <= self.acknowledged_number
            and self.severity.rank <= self.acknowledged_severity.rank
        )


def seen(alarm: Alarm, sighting: Sighting, now: datetime) -> Alarm:
    """The alarm after one more sighting; one that had ended begins anew, and nobody knows of it."""
    found = replace(
        alarm,
        severity=sighting.severity,
        what=sighting.what,
        number=sighting.number,
        known=sighting.known,
        last_at=now,
        acknowledged_number=min(alarm.acknowledged_number, sighting.number),
    )
    if alarm.is_open:
        return found
    return replace(found, first_at=now, ended_at=None, acknowledged_at=None, acknowledged_by="")


def ended(alarm: Alarm, now: datetime) -> Alarm:
    """The alarm when its cause is not there any more."""
    return replace(alarm, ended_at=now)


def acknowledged(alarm: Alarm, by: str, now: datetime) -> Alarm:
    """The alarm when somebody says that he knows."""
    return replace(
        alarm,
        acknowledged_at=now,
        acknowledged_by=by,
        acknowledged_number=alarm.number,
        acknowledged_severity=alarm.severity,
    )
