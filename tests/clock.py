"""A clock that a test sets: nothing sleeps to let time pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Says the time that it was told, in UTC."""

    def __init__(self, at: datetime = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
