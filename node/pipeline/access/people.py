"""Users, their passwords and their tokens."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from node.adapters.database import Database
from node.adapters.database.access import accounts, tokens
from node.adapters.database.access.accounts import Account
from node.adapters.database.access.tokens import Token
from node.core.access import RIGHTS, Right, Role
from node.core.access.passwords import weakness
from node.core.access.secrets import SHOWN, TOKEN_PREFIX, digest
from node.errors import Usage
from node.pipeline.access.hashing import Hashing

NAME = re.compile(r"[^\W_](?:[\w.@+ -]{0,62}\w)?")
RESERVED = frozenset({"local", "node", "worker", "reception", "clerk", "api", "command line", "anonymous", "dicomweb"})
LONGEST_DAYS = 365  # of a token


@dataclass(frozen=True)
class People:
    """Adds and changes users and tokens; every change leaves its line in the audit trail."""

    database: Database
    clock: Callable[[], datetime]
    hashing: Hashing

    def add(
        self, name: str, role: Role, password: str, *, sees_patients: bool, actor: str = "", only_first: bool = False
    ) -> Account:
        """A user with a password. Raises Usage for a name that is taken or a weak password."""
        name = accepted_name(name)
        self.demand(password, name)
        hashed = self.hashing.hash(password)
        return accounts.add(
            self.database, name, role, sees_patients, hashed, self.clock(), actor=actor, only_first=only_first
        )

    def set_password(self, name: str, password: str, *, actor: str = "", keep_session: str = "") -> None:
        """Another password. Raises NoSuch, Usage."""
        self.demand(password, accounts.get(self.database, name).name)
        hashed = self.hashing.hash(password)
        accounts.set_password(self.database, name, hashed, self.clock(), actor=actor, keep_session=keep_session)

    def change(
        self, name: str, *, role: Role | None, sees_patients: bool | None, actor: str = "", reason: str = ""
    ) -> Account:
        """Another role, or other eyes. Raises NoSuch, Usage."""
        return accounts.change(
            self.database, name, self.clock(), actor=actor, role=role, sees_patients=sees_patients, reason=reason
        )

    def remove(self, name: str, *, actor: str = "", reason: str = "") -> None:
        """Raises NoSuch, Usage."""
        accounts.remove(self.database, name, self.clock(), actor=actor, reason=reason)

    def create_token(
        self,
        user: str,
        name: str,
        scopes: Iterable[Right],
        *,
        days: float,
        sees_patients: bool = False,
        actor: str = "",
    ) -> tuple[Token, str]:
        """A token and its secret, which is never to be had again. Raises NoSuch, Usage."""
        owner = accounts.get(self.database, user)
        wanted = frozenset(scopes)
        if not wanted:
            raise Usage(f"scope: say what the token may, of {', '.join(Right)}")
        if beyond := sorted(wanted - RIGHTS[owner.role]):
            raise Usage(f"scope: {owner.name} as {owner.role} may not {beyond[0]}, and his token neither")
        if sees_patients and not owner.sees_patients:
            raise Usage(f"{owner.name} does not see patients' names, and his token neither")
        if not 0 < days <= LONGEST_DAYS:
            raise Usage(f"days: a token counts for up to {LONGEST_DAYS} days")
        if not name.strip() or len(name) > 64 or not name.isprintable():
            raise Usage("name: say what the token is for, in at most 64 characters")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = self.clock()
        made = tokens.create(
            self.database, owner.id, owner.name, name.strip(), digest(secret), secret[:SHOWN], wanted, sees_patients,
            now + timedelta(days=days), now, actor=actor,
        )  # fmt: skip
        return made, secret

    def demand(self, password: str, name: str) -> None:
        """Raises Usage for a password that is not taken."""
        if wrong := weakness(password, name):
            raise Usage(f"password: {wrong}")


def accepted_name(name: str) -> str:
    """In one form. Raises Usage."""
    clean = unicodedata.normalize("NFKC", name).strip()
    if not NAME.fullmatch(clean) or clean.casefold() in RESERVED:
        raise Usage("name: 1 to 64 letters, digits, spaces and . _ - @ +, beginning with a letter or digit, not a word "
                    "that histories use for the node itself")  # fmt: skip
    return clean
