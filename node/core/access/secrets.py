"""What is kept of secrets that the node hands out, and how long they count."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

TOKEN_PREFIX = "mricore_"  # noqa: S105 # no secret: what scanners for leaked ones look for
SHOWN = len(TOKEN_PREFIX) + 6  # characters of a token that lists show


def digest(secret: str) -> str:
    """What is kept in the place of a secret of 256 random bits: nothing to guess from, so a plain hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_token(session: str) -> str:
    """What a page of this session shows with each change; other sites cannot know it."""
    return hmac.digest(session.encode("utf-8", "surrogatepass"), b"csrf", "sha256").hex()


@dataclass(frozen=True)
class Lifetime:
    """How long a session counts."""

    idle: timedelta = timedelta(minutes=60)  # without a request
    absolute: timedelta = timedelta(hours=12)

    def is_over(self, created_at: datetime, seen_at: datetime, now: datetime) -> bool:
        return now - seen_at >= self.idle or now - created_at >= self.absolute
