"""Users. One is never deleted: the audit trail speaks of it, and its name stays taken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from node.adapters.database import audit
from node.adapters.database.access.tables import account, session, token
from node.adapters.database.engine import Database
from node.adapters.database.turns import Turn, take_turn
from node.core.access import Role
from node.errors import NoSuch, Usage

LOCAL, OIDC = "local", "oidc"


@dataclass(frozen=True)
class Account:
    """A user."""

    id: int
    name: str
    role: Role
    sees_patients: bool
    origin: str  # local, oidc
    created_at: datetime
    password_at: datetime | None
    removed_at: datetime | None

    def told(self) -> dict[str, object]:
        """What the audit trail keeps of it."""
        return {"role": self.role.value, "sees_patients": self.sees_patients, "removed": self.removed_at is not None}


def folded(name: str) -> str:
    """Two names that differ in case only are one."""
    return name.casefold()


def add(
    database: Database,
    name: str,
    role: Role,
    sees_patients: bool,
    password: str,
    now: datetime,
    *,
    actor: str = "",
    subject: str = "",
    only_first: bool = False,
) -> Account:
    """Write a user; `password` is its hash, "" for one of an OIDC provider, who has a `subject`.

    `only_first`: only where there is no user at all. Raises Usage.
    """
    row = {"name": name, "folded": folded(name), "role": role.value, "sees_patients": int(sees_patients),
           "origin": OIDC if subject else LOCAL, "subject": subject, "password": password, "created_at": now,
           "password_at": now if password else None}  # fmt: skip
    try:
        with database.transaction() as connection:
            if only_first:
                take_turn(connection, Turn.FIRST_USER)
            if only_first and connection.execute(select(account.c.id).limit(1)).first():
                raise Usage("there is a user already: sign in, or ask an administrator")
            key = connection.execute(insert(account).values(row)).inserted_primary_key
            made = _read(connection, account.c.id == int(key[0] if key else 0))
            assert made is not None  # noqa: S101 # it was just written
            audit.note(connection, now, "user.add", f"user {name}", actor=actor, after=made.told())
            return made
    except IntegrityError as taken:
        raise Usage(f"{name} is taken: choose another name (removed users keep theirs)") from taken


def exists_any(database: Database) -> bool:
    """Whether there ever was a user."""
    with database.reading() as connection:
        return connection.execute(select(account.c.id).limit(1)).first() is not None


def listed(database: Database) -> list[Account]:
    """All of them, by name; those that were removed at the end."""
    with database.reading() as connection:
        rows = connection.execute(select(account).order_by(account.c.removed_at.is_not(None), account.c.folded))
        return [_account(row) for row in rows]


def named(database: Database, name: str) -> tuple[Account, str] | None:
    """A user that is not removed, and the hash of its password; None when there is none."""
    wanted = select(account).where(account.c.folded == folded(name), account.c.removed_at.is_(None))
    with database.reading() as connection:
        row = connection.execute(wanted).first()
    return (_account(row), row.password) if row else None


def by_subject(database: Database, subject: str) -> Account | None:
    """The user of an OIDC provider's subject, removed or not."""
    with database.reading() as connection:
        return _read(connection, account.c.subject == subject)


def get(database: Database, name: str) -> Account:
    """Raises NoSuch."""
    found = named(database, name)
    if found is None:
        raise _no_such(name)
    return found[0]


def change(
    database: Database,
    name: str,
    now: datetime,
    *,
    actor: str = "",
    role: Role | None = None,
    sees_patients: bool | None = None,
    reason: str = "",
    keep_an_admin: bool = True,
) -> Account:
    """Another role, or other eyes; the sessions end, so that nobody goes on as who he was. Raises NoSuch, Usage."""
    with database.transaction() as connection:
        before = _locked(connection, name)
        after = replace(
            before,
            role=before.role if role is None else role,
            sees_patients=before.sees_patients if sees_patients is None else sees_patients,
        )
        if after == before:
            return before
        if keep_an_admin:
            _keep_an_admin(connection, before, after.role)
        values = {"role": after.role.value, "sees_patients": int(after.sees_patients)}
        connection.execute(update(account).where(account.c.id == before.id).values(**values))
        _end_sessions(connection, before.id)
        audit.note(connection, now, "user.change", f"user {before.name}", actor=actor, before=before.told(),
                   after=after.told(), reason=reason)  # fmt: skip
    return after


def set_password(
    database: Database, name: str, password: str, now: datetime, *, actor: str = "", keep_session: str = ""
) -> None:
    """Another hash; every session but the one of the digest `keep_session` ends. Raises NoSuch."""
    with database.transaction() as connection:
        mine = _locked(connection, name)
        if mine.origin != LOCAL:
            raise Usage(f"{mine.name} signs in at the OIDC provider and has no password here")
        connection.execute(update(account).where(account.c.id == mine.id).values(password=password, password_at=now))
        _end_sessions(connection, mine.id, keep_session)
        audit.note(connection, now, "user.password", f"user {mine.name}", actor=actor)


def rehash(database: Database, account_id: int, before: str, after: str) -> None:
    """The same password, hashed by today's parameters; nothing when it was changed meanwhile."""
    with database.transaction() as connection:
        mine = (account.c.id == account_id) & (account.c.password == before)
        connection.execute(update(account).where(mine).values(password=after))


def remove(database: Database, name: str, now: datetime, *, actor: str = "", reason: str = "") -> None:
    """End its sessions and tokens; it signs in no more. Raises NoSuch, Usage for the last administrator."""
    with database.transaction() as connection:
        mine = _locked(connection, name)
        _keep_an_admin(connection, mine, None)
        connection.execute(update(account).where(account.c.id == mine.id).values(removed_at=now, password=""))
        _end_sessions(connection, mine.id)
        still = (token.c.account_id == mine.id) & token.c.revoked_at.is_(None)
        connection.execute(update(token).where(still).values(revoked_at=now))
        audit.note(connection, now, "user.remove", f"user {mine.name}", actor=actor, before=mine.told(), reason=reason)


def _locked(connection: Connection, name: str) -> Account:
    wanted = (account.c.folded == folded(name)) & account.c.removed_at.is_(None)
    row = connection.execute(select(account).where(wanted).with_for_update()).first()
    if row is None:
        raise _no_such(name)
    return _account(row)


def _keep_an_admin(connection: Connection, before: Account, after: Role | None) -> None:
    """Somebody must be able to let others in."""
    if before.role is not Role.ADMIN or after is Role.ADMIN:
        return
    take_turn(connection, Turn.ADMINISTRATORS)  # two who go at once would each count the other
    admins = (account.c.role == Role.ADMIN.value) & account.c.removed_at.is_(None)
    if (connection.scalar(select(func.count()).select_from(account).where(admins)) or 0) <= 1:
        raise Usage(f"{before.name} is the last administrator: give another user that role first")


def _end_sessions(connection: Connection, account_id: int, but: str = "") -> None:
    connection.execute(delete(session).where(session.c.account_id == account_id, session.c.digest != but))


def _read(connection: Connection, which: Any) -> Account | None:
    row = connection.execute(select(account).where(which)).first()
    return _account(row) if row else None


def _account(row: Row[Any]) -> Account:
    return Account(
        row.id, row.name, Role(row.role), bool(row.sees_patients), row.origin, row.created_at, row.password_at,
        row.removed_at,
    )  # fmt: skip


def _no_such(name: str) -> NoSuch:
    return NoSuch(f"there is no user {name[:64]}: see `mricore-node user list`")
