"""How long the disk lasts: a straight line through what was free before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

SAMPLES_AT_LEAST = 8
SPAN_AT_LEAST = timedelta(hours=12)
_DAY_S = 86400.0


@dataclass(frozen=True)
class Sample:
    """Bytes free above the low watermark at a moment."""

    at: datetime
    room: int


@dataclass(frozen=True)
class Trend:
    """Where it leads."""

    bytes_per_day: float | None  # by which the room shrinks; negative: it grows. None: not enough history
    days_left: float | None  # None: not enough history, or it does not shrink


def trend(samples: Sequence[Sample], room: int) -> Trend:
    """Least squares over the samples; `room` is what is free now."""
    if len(samples) < SAMPLES_AT_LEAST or _span(samples) < SPAN_AT_LEAST:
        return Trend(None, None)
    begin = samples[0].at
    days = [(one.at - begin).total_seconds() / _DAY_S for one in samples]
    mean_day = sum(days) / len(days)
    mean_room = sum(one.room for one in samples) / len(samples)
    spread = sum((day - mean_day) ** 2 for day in days)
    slope = sum((day - mean_day) * (one.room - mean_room) for day, one in zip(days, samples, strict=True)) / spread
    shrinks = -slope
    return Trend(shrinks, max(0.0, room / shrinks) if shrinks > 0 else None)


def _span(samples: Sequence[Sample]) -> timedelta:
    moments = [one.at for one in samples]
    return max(moments) - min(moments)
