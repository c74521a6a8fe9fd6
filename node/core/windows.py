"""Maintenance windows: times of day at which a destination is not tried."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta


@dataclass(frozen=True)
class Window:
    """From `begin` to `end`, over midnight where the end comes first; the same time twice is the whole day."""

    begin: time
    end: time

    @classmethod
    def read(cls, text: str) -> Window:
        """ "22:00-04:00" ."""
        begin, _, end = text.partition("-")
        return cls(time.fromisoformat(begin.strip()), time.fromisoformat(end.strip()))

    def closed_until(self, now: datetime) -> datetime | None:
        """When the window that `now` lies in ends; None when it lies in none. In the zone of `now`."""
        at, over_midnight = now.time(), self.end <= self.begin
        if (at >= self.begin or at < self.end) if over_midnight else self.begin <= at < self.end:
            return self._next_end(now)
        return None

    def _next_end(self, now: datetime) -> datetime:
        end = now.replace(hour=self.end.hour, minute=self.end.minute, second=0, microsecond=0)
        return end if end > now else end + timedelta(days=1)


def closed_until(windows: Iterable[Window], now: datetime) -> datetime | None:
    """The end of the windows that `now` lies in; None when it lies in none."""
    return max((end for one in windows if (end := one.closed_until(now))), default=None)
