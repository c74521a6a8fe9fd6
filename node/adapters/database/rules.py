"""Published rule sets: immutable, named by the sha256 of their files; and which was in use from when on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.exc import IntegrityError

from node.adapters.database import audit
from node.adapters.database.engine import Database
from node.adapters.database.rule_tables import publication
from node.adapters.database.tables import rule_set
from node.errors import NoSuch, Overtaken

_SHORTEST = 8  # characters of a version that are taken for one


@dataclass(frozen=True)
class Publication:
    """A rule set that was put into use."""

    number: int
    version: str
    at: datetime
    author: str
    reason: str
    origin: str  # directory, publish, rollback
    approver: str  # "": nobody was asked
    simulation: Mapping[str, object] | None  # what was foretold of it


@dataclass(frozen=True)
class ToPublish:
    """A rule set to put into use."""

    version: str
    author: str
    reason: str
    origin: str
    approver: str = ""
    simulation: Mapping[str, object] | None = None


def keep(
    database: Database, version: str, files: Mapping[str, str], *, author: str, reason: str, now: datetime
) -> bool:
    """Write a version; False when it is there already."""
    row = {"version": version, "published_at": now, "author": author, "reason": reason, "files": dict(files)}
    try:
        with database.transaction() as connection:
            if connection.scalar(select(rule_set.c.version).where(rule_set.c.version == version)):
                return False
            connection.execute(insert(rule_set), row)
    except IntegrityError:  # another process, started at the same moment, wrote it
        return False
    return True


def files_of(database: Database, version: str) -> dict[str, str]:
    """File name → text, as they were published. Raises NoSuch."""
    with database.reading() as connection:
        found = connection.scalar(select(rule_set.c.files).where(rule_set.c.version == version))
    if found is None:
        raise NoSuch(f"there is no rule set {version[:12]}. See `mricore-node rules history`")
    return dict(found)


def publish(database: Database, new: ToPublish, base: int, now: datetime) -> Publication:
    """Put a version into use after the publication `base` (0: none). Raises Overtaken when there is a later one."""
    row = {
        "number": base + 1,
        "version": new.version,
        "at": now,
        "author": new.author,
        "reason": new.reason,
        "origin": new.origin,
        "approver": new.approver,
        "simulation": new.simulation,
    }
    try:
        with database.transaction() as connection:
            last = connection.scalar(select(func.max(publication.c.number))) or 0
            if last == base:
                connection.execute(insert(publication), row)
                before = connection.scalar(select(publication.c.version).where(publication.c.number == base))
                told = {"publication": base + 1, "version": new.version}
                audit.note(connection, now, f"rules.{new.origin}", f"rule set {new.version[:12]}",
                           actor=new.approver or new.author, before=before, after=told, reason=new.reason)  # fmt: skip
    except IntegrityError:  # another process took this number at the same moment
        last = base + 1
    if last != base:
        raise Overtaken(_overtaken(get(database, last)))
    return Publication(base + 1, new.version, now, new.author, new.reason, new.origin, new.approver, new.simulation)


def _overtaken(later: Publication) -> str:
    return (
        f"{later.author} published {later.number} ({later.version[:12]}) meanwhile: {later.reason}. "
        f"Compare with `mricore-node rules diff`, then publish with --base {later.number}"
    )


def newest_number(database: Database) -> int:
    """The number of the publication in use; 0 when there is none."""
    with database.reading() as connection:
        return connection.scalar(select(func.max(publication.c.number))) or 0


def newest(database: Database, origin: str | None = None) -> Publication | None:
    """The publication in use, or the last one of that origin."""
    wanted = select(publication).order_by(publication.c.number.desc()).limit(1)
    if origin is not None:
        wanted = wanted.where(publication.c.origin == origin)
    with database.reading() as connection:
        row = connection.execute(wanted).first()
    return _publication(row) if row else None


def get(database: Database, number: int) -> Publication:
    """Raises NoSuch."""
    with database.reading() as connection:
        row = connection.execute(select(publication).where(publication.c.number == number)).first()
    if row is None:
        raise NoSuch(f"there is no publication {number}. See `mricore-node rules history`")
    return _publication(row)


def history(database: Database, limit: int = 100, before: int | None = None) -> list[Publication]:
    """Publications, the newest first."""
    wanted = select(publication).order_by(publication.c.number.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(publication.c.number < before)
    with database.reading() as connection:
        return [_publication(row) for row in connection.execute(wanted)]


def version_named(database: Database, text: str) -> str:
    """The whole version of a publication's number, or of eight characters or more. Raises NoSuch."""
    if text.isdecimal() and text.isascii() and len(text) < _SHORTEST:
        return get(database, int(text)).version
    found: Sequence[str] = ()
    if len(text) >= _SHORTEST and text.isalnum() and text.isascii():
        with database.reading() as connection:
            wanted = select(rule_set.c.version).where(rule_set.c.version.startswith(text.lower(), autoescape=True))
            found = connection.scalars(wanted.limit(2)).all()
    if len(found) != 1:
        what = "names several rule sets" if found else "is no publication's number and no version"
        raise NoSuch(f"{text[:64]} {what}. See `mricore-node rules history`")
    return found[0]


def _publication(row: Row[Any]) -> Publication:
    return Publication(
        row.number, row.version, row.at, row.author, row.reason, row.origin, row.approver, row.simulation
    )
