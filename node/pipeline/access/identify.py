"""Who shows a cookie or a token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from node.adapters.database import Database
from node.adapters.database.access import accounts, sessions, tokens
from node.core.access import Actor
from node.core.access.secrets import TOKEN_PREFIX, Lifetime, digest

_LONGEST = 200  # characters of a cookie's or a token's secret


@dataclass
class Identify:
    """Asks the database each time: what ends, ends at once."""

    database: Database
    clock: Callable[[], datetime]
    lifetime: Lifetime
    _somebody: bool = False  # a user is never deleted: once true, it stays so

    def by_cookie(self, secret: str, address: str) -> Actor | None:
        """None when the session is over or never was."""
        if not secret or len(secret) > _LONGEST:
            return None
        found = sessions.find(self.database, digest(secret), self.clock(), self.lifetime)
        if found is None:
            return None
        return Actor(found.name, found.role, found.sees_patients, address=address, session=found.digest)

    def by_token(self, secret: str, address: str) -> Actor | None:
        """None when it counts no more or never did."""
        if not secret.startswith(TOKEN_PREFIX) or len(secret) > _LONGEST:
            return None
        found = tokens.find(self.database, digest(secret), self.clock())
        if found is None:
            return None
        sees = found.token.sees_patients and found.owner_sees_patients
        return Actor(found.token.user, found.role, sees, frozenset(found.token.scopes), address)

    def still_counts(self, secret: str) -> bool:
        """Whether a session goes on: for answers that last."""
        return sessions.find(self.database, digest(secret), self.clock(), self.lifetime) is not None

    def has_users(self) -> bool:
        """Whether there ever was a user: then everybody signs in."""
        if not self._somebody:
            self._somebody = accounts.exists_any(self.database)
        return self._somebody
