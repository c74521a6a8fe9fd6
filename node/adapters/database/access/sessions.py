"""Signed-in browsers: rows, found by the digest of what their cookie holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from node.adapters.database import audit
from node.adapters.database.access.tables import account, session
from node.adapters.database.engine import Database
from node.core.access import Role
from node.core.access.secrets import Lifetime
from node.core.audit import What

_SEEN_EVERY = timedelta(minutes=1)  # how exactly the last request is kept: not every one is a write
_SHOWN = 12  # characters of a digest that name a session to people


@dataclass(frozen=True)
class Session:
    """Who is signed in, and since when."""

    digest: str
    account_id: int
    name: str
    role: Role
    sees_patients: bool
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str
    logout_hint: str = ""

    @property
    def shown(self) -> str:
        return self.digest[:_SHOWN]


def begin(
    database: Database,
    account_id: int,
    name: str,
    digest: str,
    now: datetime,
    lifetime: Lifetime,
    *,
    address: str,
    agent: str,
    logout_hint: str = "",
    how: str = "password",
) -> None:
    """Write a session, and sweep those that are over."""
    row = {"digest": digest, "account_id": account_id, "created_at": now, "seen_at": now, "address": address[:64],
           "agent": agent[:200], "logout_hint": logout_hint}  # fmt: skip
    with database.transaction() as connection:
        over = (session.c.created_at <= now - lifetime.absolute) | (session.c.seen_at <= now - lifetime.idle)
        connection.execute(delete(session).where(over))
        connection.execute(insert(session).values(row))
        audit.note(connection, now, What.SIGNED_IN, f"user {name}", actor=name, after={"with": how})


def find(database: Database, digest: str, now: datetime, lifetime: Lifetime) -> Session | None:
    """The session of a cookie, if it is not over; the request counts as a sign of life."""
    with database.reading() as connection:
        wanted = (
            select(session, account.c.name, account.c.role, account.c.sees_patients)
            .join(account, session.c.account_id == account.c.id)
            .where(session.c.digest == digest, account.c.removed_at.is_(None))
        )
        row = connection.execute(wanted).first()
    if row is None or lifetime.is_over(row.created_at, row.seen_at, now):
        return None
    if now - row.seen_at >= _SEEN_EVERY:
        with database.transaction() as connection:
            connection.execute(update(session).where(session.c.digest == digest).values(seen_at=now))
    return Session(
        row.digest, row.account_id, row.name, Role(row.role), bool(row.sees_patients), row.created_at, row.seen_at,
        row.address, row.agent, row.logout_hint,
    )  # fmt: skip


def end(database: Database, digest: str, now: datetime, *, reason: str = "signed out") -> bool:
    """False when there is no such session any more."""
    with database.transaction() as connection:
        owner = select(account.c.name).join(session, session.c.account_id == account.c.id)
        name = connection.scalar(owner.where(session.c.digest == digest))
        if name is None:
            return False
        connection.execute(delete(session).where(session.c.digest == digest))
        audit.note(connection, now, What.SIGNED_OUT, f"user {name}", reason=reason)
    return True


def of_account(database: Database, name: str, now: datetime, lifetime: Lifetime) -> list[Session]:
    """The living ones of a user, the latest first."""
    wanted = (
        select(session, account.c.name, account.c.role, account.c.sees_patients)
        .join(account, session.c.account_id == account.c.id)
        .where(account.c.name == name)
        .order_by(session.c.created_at.desc())
    )
    with database.reading() as connection:
        found = connection.execute(wanted).all()
    return [
        Session(
            row.digest, row.account_id, row.name, Role(row.role), bool(row.sees_patients), row.created_at, row.seen_at,
            row.address, row.agent,
        )
        for row in found
        if not lifetime.is_over(row.created_at, row.seen_at, now)
    ]  # fmt: skip


def end_shown(database: Database, name: str, shown: str, now: datetime) -> bool:
    """End a user's session by what lists show of it. False when there is none."""
    with database.reading() as connection:
        mine = select(session.c.digest).join(account, session.c.account_id == account.c.id)
        wanted = mine.where(account.c.name == name, session.c.digest.startswith(shown, autoescape=True))
        found = connection.scalars(wanted).all() if len(shown) == _SHOWN else []
    return bool(found) and end(database, found[0], now, reason="ended from another session")
