"""Signing in at an OpenID Connect provider: the browser goes there, and comes back with who it is."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from node.adapters.database import Database, audit
from node.adapters.database.access import accounts, once
from node.adapters.database.access.accounts import Account
from node.adapters.oidc import Claims, Provider
from node.core.access import Role
from node.core.access.secrets import digest
from node.core.audit import What
from node.errors import NotSignedIn, Usage
from node.pipeline.access.people import accepted_name
from node.pipeline.access.signing_in import Browser, SigningIn

_COUNTS = timedelta(minutes=10)  # from here to the provider and back


@dataclass(frozen=True)
class Mapped:
    """Which claims mean what."""

    name_claim: str
    role_claim: str
    roles: Mapping[str, Role]
    sees_patients: Sequence[str]  # empty: whoever has a role

    def read(self, values: Mapping[str, Any]) -> tuple[Role, bool] | None:
        """The highest role that the claim gives, and whether patients are seen; None: no role at all."""
        told = values.get(self.role_claim)
        groups = {str(one) for one in told} if isinstance(told, list) else {str(told)} if told else set()
        order = list(Role)
        given = [self.roles[group] for group in groups if group in self.roles]
        if not given:
            return None
        return max(given, key=order.index), not self.sees_patients or bool(groups & set(self.sees_patients))


@dataclass(frozen=True)
class Oidc:
    """Begins and finishes sign-ins elsewhere."""

    database: Database
    clock: Callable[[], datetime]
    provider: Provider
    mapped: Mapped
    signing_in: SigningIn
    afterwards: str  # where the provider sends the browser after logout

    def begin(self, then: str) -> tuple[str, str]:
        """Where to go, and a secret for the browser alone: only it may come back. Raises SourceUnavailable."""
        state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
        begun = self.provider.begin(state, nonce, verifier)
        now = self.clock()
        content = {"nonce": nonce, "verifier": verifier, "then": then, "browser": digest(browser)}
        once.keep(self.database, digest(state), once.SIGN_IN, now + _COUNTS, now, content)
        return begun.address, browser

    def finish(self, code: str, state: str, browser_secret: str, browser: Browser) -> tuple[str, str]:
        """The secret of a new session, and where to go. Raises NotSignedIn, SourceUnavailable."""
        known = once.take(self.database, digest(state), once.SIGN_IN, self.clock())
        if known is None or known["browser"] != digest(browser_secret):
            raise NotSignedIn("this sign-in was not begun here, or too long ago: begin again")
        try:
            claims = self.provider.finish(code, known["nonce"], known["verifier"])
            who = self._account(claims)
        except NotSignedIn as refused:
            with self.database.transaction() as connection:
                audit.note(connection, self.clock(), What.SIGN_IN_FAILED, "user unknown", reason=str(refused), ok=False)
            raise
        return self.signing_in.begin(who, browser, "oidc", claims.id_token), str(known["then"])

    def logout_address(self, id_token: str) -> str | None:
        return self.provider.logout_address(id_token, self.afterwards)

    def _account(self, claims: Claims) -> Account:
        """The user of these claims, made or brought up to date. Raises NotSignedIn."""
        given = self.mapped.read(claims.values)
        if given is None:
            raise NotSignedIn("you are known, but none of your groups has a role here: ask an administrator")
        role, sees = given
        subject = f"{self.provider.issuer} {claims.subject}"[:300]
        there = accounts.by_subject(self.database, subject)
        if there is None:
            return self._new(claims, subject, role, sees)
        if there.removed_at:
            raise NotSignedIn("this user was removed: ask an administrator")
        return accounts.change(  # the provider's word counts: whoever is in its group can become administrator again
            self.database, there.name, self.clock(), actor="oidc", role=role, sees_patients=sees,
            reason="groups at the provider", keep_an_admin=False,
        )  # fmt: skip

    def _new(self, claims: Claims, subject: str, role: Role, sees: bool) -> Account:
        wanted = str(claims.values.get(self.mapped.name_claim) or claims.values.get("email") or claims.subject)[:48]
        short = digest(subject)[:8]
        for name in (wanted, f"{wanted}-{short}", f"sso-{short}"):
            try:
                return accounts.add(
                    self.database, accepted_name(name), role, sees, "", self.clock(), actor="oidc", subject=subject
                )
            except Usage:
                continue
        raise NotSignedIn("there is no name left for this user: ask an administrator")
