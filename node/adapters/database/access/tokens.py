"""API tokens: what programs show instead of signing in. Only digests are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, update

from node.adapters.database import audit
from node.adapters.database.access.tables import account, token
from node.adapters.database.engine import Database
from node.core.access import Right, Role
from node.errors import NoSuch

_USED_EVERY = timedelta(minutes=1)  # how exactly the last use is kept


@dataclass(frozen=True)
class Token:
    """A token as lists show it."""

    id: int
    user: str
    name: str
    shown: str  # its first characters
    scopes: tuple[Right, ...]
    sees_patients: bool
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class Bearer:
    """Who shows a token, and what the owner may now."""

    token: Token
    role: Role
    owner_sees_patients: bool


def create(
    database: Database,
    account_id: int,
    user: str,
    name: str,
    digest: str,
    shown: str,
    scopes: Iterable[Right],
    sees_patients: bool,
    expires_at: datetime,
    now: datetime,
    *,
    actor: str = "",
) -> Token:
    """Write a token."""
    wanted = sorted(scope.value for scope in scopes)
    row = {"account_id": account_id, "name": name, "digest": digest, "shown": shown, "scopes": wanted,
           "sees_patients": int(sees_patients), "created_at": now, "expires_at": expires_at}  # fmt: skip
    with database.transaction() as connection:
        key = connection.execute(insert(token).values(row)).inserted_primary_key
        number = int(key[0]) if key else 0
        told = {"name": name, "scopes": wanted, "sees_patients": sees_patients, "expires_at": expires_at}
        audit.note(connection, now, "token.create", f"token {number} of {user}", actor=actor, after=told)
    return next(one for one in listed(database, user) if one.id == number)


def find(database: Database, digest: str, now: datetime) -> Bearer | None:
    """The token of this digest while it counts."""
    wanted = (
        select(token, account.c.name.label("user"), account.c.role, account.c.sees_patients.label("owner_sees"))
        .join(account, token.c.account_id == account.c.id)
        .where(token.c.digest == digest, token.c.revoked_at.is_(None), account.c.removed_at.is_(None))
    )
    with database.reading() as connection:
        row = connection.execute(wanted).first()
    if row is None or row.expires_at <= now:
        return None
    if row.used_at is None or now - row.used_at >= _USED_EVERY:
        with database.transaction() as connection:
            connection.execute(update(token).where(token.c.id == row.id).values(used_at=now))
    return Bearer(_token(row), Role(row.role), bool(row.owner_sees))


def listed(database: Database, user: str | None = None) -> list[Token]:
    """Those of a user, or all: the newest first."""
    wanted = select(token, account.c.name.label("user")).join(account, token.c.account_id == account.c.id)
    if user is not None:
        wanted = wanted.where(account.c.name == user)
    with database.reading() as connection:
        return [_token(row) for row in connection.execute(wanted.order_by(token.c.id.desc()))]


def revoke(database: Database, number: int, now: datetime, *, actor: str = "", user: str | None = None) -> Token:
    """End a token, with `user` only one of his. Raises NoSuch."""
    with database.transaction() as connection:
        wanted = select(token, account.c.name.label("user")).join(account, token.c.account_id == account.c.id)
        row = connection.execute(wanted.where(token.c.id == number)).first()
        if row is None or row.revoked_at is not None or (user is not None and row.user != user):
            raise NoSuch(f"there is no token {number} that counts: see `mricore-node token list`")
        connection.execute(update(token).where(token.c.id == number).values(revoked_at=now))
        audit.note(connection, now, "token.revoke", f"token {number} of {row.user}", actor=actor)
    return _token(row)


def _token(row: Row[Any]) -> Token:
    known = tuple(Right(scope) for scope in row.scopes if scope in set(Right))
    return Token(
        row.id, row.user, row.name, row.shown, known, bool(row.sees_patients), row.created_at, row.expires_at,
        row.used_at, row.revoked_at,
    )  # fmt: skip
