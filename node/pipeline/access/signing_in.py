"""Signing in by password, and the first administrator's code."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from node.adapters.database import Database, audit
from node.adapters.database.access import accounts, failures, once, sessions
from node.adapters.database.access.accounts import Account
from node.core.access import Role
from node.core.access.lockout import ADDRESS_ALLOWED, USER_ALLOWED
from node.core.access.secrets import Lifetime, digest
from node.core.audit import What
from node.errors import NotSignedIn, Usage
from node.pipeline.access.hashing import Hashing
from node.pipeline.access.people import People, accepted_name

LONGEST_NAME = 64
_LONGEST_PASSWORD = 1024  # of what is looked at
_CODE_COUNTS = timedelta(hours=1)


class TooManyTries(Usage):
    """Wrong passwords came before: the next one is looked at in `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, round(seconds))
        super().__init__(f"too many wrong sign-ins: try again in {self.seconds} seconds")


@dataclass(frozen=True)
class Browser:
    """Where somebody signs in from."""

    address: str
    agent: str


@dataclass(frozen=True)
class SigningIn:
    """Begins sessions."""

    database: Database
    clock: Callable[[], datetime]
    hashing: Hashing
    people: People
    lifetime: Lifetime

    def by_password(self, name: str, password: str, browser: Browser) -> str:
        """The secret of a new session.

        Raises NotSignedIn, which does not tell a wrong name from a wrong password, and takes as long for both;
        TooManyTries.
        """
        who = self.demand_password(name, password, browser.address)
        return self.begin(who, browser, "password")

    def demand_password(self, name: str, password: str, address: str) -> Account:
        """Whose password it is. Raises NotSignedIn, TooManyTries."""
        now = self.clock()
        name_key, address_key = failures.key_of("name", name), failures.key_of("address", address)
        allowed = {name_key: USER_ALLOWED, address_key: ADDRESS_ALLOWED}
        if wait := failures.admit(self.database, allowed, now):
            raise TooManyTries(wait)
        found = accounts.named(self.database, name) if len(name) <= LONGEST_NAME else None
        usable = found[1] if found and len(password) <= _LONGEST_PASSWORD else ""
        right = self.hashing.verify(usable, password[:_LONGEST_PASSWORD])
        if not found or not right:
            self._tell(What.SIGN_IN_FAILED, name, "wrong name or password")
            if wait := failures.waiting(self.database, allowed, now):
                self._tell(What.LOCKED_OUT, name, f"for {wait:.0f} s after too many wrong sign-ins")
            raise NotSignedIn("this name and password are not right")
        failures.succeeded(self.database, name_key, address_key)
        who, hashed = found
        if self.hashing.is_old(hashed):
            accounts.rehash(self.database, who.id, hashed, self.hashing.hash(password))
        return who

    def begin(self, who: Account, browser: Browser, how: str, logout_hint: str = "") -> str:
        """A new session, never one that was there before: its secret."""
        secret = secrets.token_urlsafe(32)
        sessions.begin(
            self.database, who.id, who.name, digest(secret), self.clock(), self.lifetime, address=browser.address,
            agent=browser.agent, how=how, logout_hint=logout_hint,
        )  # fmt: skip
        return secret

    def first_code(self) -> str:
        """A code that lets its reader become the first administrator, for an hour. Raises Usage when there is one."""
        if accounts.exists_any(self.database):
            raise Usage("there is a user already: sign in, or `mricore-node user add`")
        code = "-".join(secrets.token_hex(2) for _ in range(8))
        now = self.clock()
        once.keep(self.database, digest(code), once.FIRST_START, now + _CODE_COUNTS, now, {})
        return code

    def first_administrator(self, code: str, name: str, password: str, browser: Browser) -> str:
        """Make the first administrator and sign in. Raises NotSignedIn for a code that does not count, Usage."""
        now = self.clock()
        address_key = failures.key_of("address", browser.address)
        if wait := failures.admit(self.database, {address_key: ADDRESS_ALLOWED}, now):
            raise TooManyTries(wait)
        if accounts.exists_any(self.database):
            raise Usage("there is a user already: sign in, or ask an administrator")
        self.people.demand(password, accepted_name(name))  # before the code is used up
        if once.take(self.database, digest(code.strip().lower()), once.FIRST_START, now) is None:
            self._tell(What.SIGN_IN_FAILED, "", "a code that does not count")
            raise NotSignedIn("this code does not count, or not any more: `mricore-node user first-code` makes another")
        made = self.people.add(name, Role.ADMIN, password, sees_patients=True, actor=name, only_first=True)
        return self.begin(made, browser, "first start")

    def _tell(self, what: What, name: str, reason: str) -> None:
        """Of a name that nobody has nothing is kept: it may be a password."""
        found = accounts.named(self.database, name) if 0 < len(name) <= LONGEST_NAME else None
        known = f"user {found[0].name}" if found else "user unknown"
        with self.database.transaction() as connection:
            audit.note(connection, self.clock(), what, known, actor="anonymous", reason=reason, ok=False)
