"""The one clock; everybody else is told the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The node's clock."""
    return datetime.now(UTC)  # noqa: TID251 # the one clock; everybody else is told
