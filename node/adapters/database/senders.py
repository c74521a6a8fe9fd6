"""Who asked for associations, and whom a person admitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from node.adapters.database import audit
from node.adapters.database.engine import Database
from node.adapters.database.service_tables import admission
from node.adapters.database.tables import sender

_UNKNOWN_AT_MOST = 1000  # anybody can make up AE titles; the list must not grow for that


@dataclass(frozen=True)
class KnownSender:
    """A calling AE title at a host, as `mricore-node senders list` shows it."""

    calling_ae: str
    host: str
    first_at: datetime
    last_at: datetime
    associations: int  # that it asked for
    accepted: bool  # whether the last one was accepted
    reason: str  # why not
    admitted: bool  # by a person


def note_sender(database: Database, *, calling_ae: str, host: str, at: datetime, admitted: bool, reason: str) -> None:
    """Count an association by a sender, known or not."""
    mine = (sender.c.calling_ae == calling_ae) & (sender.c.host == host)
    with database.transaction() as connection:
        seen = connection.execute(
            update(sender)
            .where(mine)
            .values(last_at=at, associations=sender.c.associations + 1, admitted=int(admitted), reason=reason)
        )
        if seen.rowcount:
            return
        unknown = connection.scalar(select(func.count()).select_from(sender).where(sender.c.admitted == 0)) or 0
        if not admitted and unknown >= _UNKNOWN_AT_MOST:
            oldest = select(func.min(sender.c.last_at)).where(sender.c.admitted == 0).scalar_subquery()
            connection.execute(delete(sender).where(sender.c.admitted == 0, sender.c.last_at == oldest))
        row = {"calling_ae": calling_ae, "host": host, "first_at": at, "last_at": at, "associations": 1}
        connection.execute(insert(sender), {**row, "admitted": int(admitted), "reason": reason})


def is_admitted(database: Database, calling_ae: str, host: str) -> bool:
    """Whether a person admitted this AE title, from this host or from anywhere."""
    mine = select(admission.c.calling_ae).where(admission.c.calling_ae == calling_ae, admission.c.host.in_(("", host)))
    with database.reading() as connection:
        return connection.execute(mine).first() is not None


def admit(database: Database, calling_ae: str, host: str, *, actor: str, at: datetime) -> None:
    """Let an AE title send from now on; `host` "" means from anywhere. Harmless when it may already."""
    mine = (admission.c.calling_ae == calling_ae) & (admission.c.host == host)
    with database.transaction() as connection:
        if not connection.execute(update(admission).where(mine).values(at=at, actor=actor)).rowcount:
            connection.execute(insert(admission), {"calling_ae": calling_ae, "host": host, "at": at, "actor": actor})
        audit.note(connection, at, "sender.admit", f"sender {calling_ae}", actor=actor, after={"host": host or "any"})


def forget(
    database: Database, calling_ae: str, host: str | None, *, actor: str = "", at: datetime | None = None
) -> int:
    """Take an admission back and strike the sender off the list; without a host, from every host. How many rows."""
    with database.transaction() as connection:
        struck = 0
        for table in (admission, sender):
            mine = table.c.calling_ae == calling_ae
            struck += connection.execute(
                delete(table).where(mine if host is None else mine & (table.c.host == host))
            ).rowcount
        if struck and at:
            told = {"host": "any" if host is None else host}
            audit.note(connection, at, "sender.forget", f"sender {calling_ae}", actor=actor, before=told)
    return struck


def known_senders(database: Database) -> list[KnownSender]:
    """Every sender that asked for an association, the latest first, and every admitted one that did not yet."""
    with database.reading() as connection:
        admitted = {(row.calling_ae, row.host): row for row in connection.execute(select(admission))}
        rows = connection.execute(select(sender).order_by(sender.c.last_at.desc())).all()
    listed = [
        KnownSender(
            row.calling_ae,
            row.host,
            row.first_at,
            row.last_at,
            row.associations,
            bool(row.admitted),
            row.reason,
            (row.calling_ae, row.host) in admitted or (row.calling_ae, "") in admitted,
        )
        for row in rows
    ]
    seen = {(one.calling_ae, host) for one in listed for host in (one.host, "")}
    silent = [row for key, row in admitted.items() if key not in seen]
    return listed + [KnownSender(row.calling_ae, row.host, row.at, row.at, 0, False, "", True) for row in silent]
