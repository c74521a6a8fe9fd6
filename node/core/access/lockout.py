"""How long somebody who guesses passwords has to wait: longer with each wrong one, for a user and for an address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

FORGET_AFTER = timedelta(hours=1)  # without a further failure
_FIRST_S, _LONGEST_S = 15.0, 900.0


@dataclass(frozen=True)
class Failures:
    """Wrong sign-ins in a row, of a user or from an address."""

    number: int = 0
    last_at: datetime | None = None


USER_ALLOWED, ADDRESS_ALLOWED = 5, 20  # failures that cost nothing; many people may stand behind one address


def wait_seconds(failures: Failures, allowed: int, now: datetime) -> float:
    """Seconds until the next try is looked at; 0: at once."""
    if failures.last_at is None or failures.number < allowed or now - failures.last_at >= FORGET_AFTER:
        return 0.0
    delay = min(_LONGEST_S, _FIRST_S * 2.0 ** min(failures.number - allowed, 16))
    return max(0.0, delay - (now - failures.last_at).total_seconds())


def after_failure(failures: Failures, now: datetime) -> Failures:
    """One more; the first again when the last one is long ago."""
    old = failures.last_at is not None and now - failures.last_at >= FORGET_AFTER
    return Failures(1 if old else failures.number + 1, now)
