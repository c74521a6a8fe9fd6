"""Drafts in the shadow: what they would have done with live series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select

from node.adapters.database import audit
from node.adapters.database.engine import Database
from node.adapters.database.rule_tables import shadow, shadow_decision


@dataclass(frozen=True)
class Shadowing:
    """A rule set that is asked and does nothing."""

    number: int
    version: str
    at: datetime
    author: str


@dataclass(frozen=True)
class Differing:
    """A series that the shadow would have treated otherwise."""

    series_instance_uid: str
    at: datetime
    rule_set_version: str
    decided: Mapping[str, object]
    would: Mapping[str, object]


def begin(database: Database, version: str, author: str, now: datetime) -> int:
    """Put a version into the shadow; "" ends it. Its number."""
    with database.transaction() as connection:
        key = connection.execute(insert(shadow).values(version=version, at=now, author=author)).inserted_primary_key
        what = "rules.shadow" if version else "rules.shadow_end"
        audit.note(connection, now, what, f"rule set {version[:12]}" if version else "shadow", actor=author)
    return int(key[0]) if key else 0


def current(database: Database) -> Shadowing | None:
    """What is in the shadow now."""
    with database.reading() as connection:
        row = connection.execute(select(shadow).order_by(shadow.c.number.desc()).limit(1)).first()
    return Shadowing(row.number, row.version, row.at, row.author) if row and row.version else None


def note(
    database: Database,
    number: int,
    series_instance_uid: str,
    version: int,
    *,
    rule_set_version: str,
    decided: Mapping[str, object],
    would: Mapping[str, object],
    differs: bool,
    now: datetime,
) -> None:
    """Write down what both said of a series."""
    alike = (
        (shadow_decision.c.shadow == number)
        & (shadow_decision.c.series_instance_uid == series_instance_uid)
        & (shadow_decision.c.version == version)
    )
    row = {"shadow": number, "series_instance_uid": series_instance_uid, "version": version, "at": now,
           "rule_set_version": rule_set_version, "differs": int(differs), "decided": dict(decided),
           "would": dict(would)}  # fmt: skip
    with database.transaction() as connection:
        connection.execute(delete(shadow_decision).where(alike))
        connection.execute(insert(shadow_decision), row)


def counted(database: Database, number: int) -> tuple[int, int]:
    """Series that were put to it, and those that it would have treated otherwise."""
    mine = shadow_decision.c.shadow == number
    with database.reading() as connection:
        row = connection.execute(
            select(func.count(), func.coalesce(func.sum(shadow_decision.c.differs), 0)).where(mine)
        ).one()
    return int(row[0]), int(row[1])


def differing(database: Database, number: int, limit: int = 100) -> list[Differing]:
    """The newest series that it would have treated otherwise."""
    mine = (shadow_decision.c.shadow == number) & (shadow_decision.c.differs == 1)
    wanted = select(shadow_decision).where(mine).order_by(shadow_decision.c.at.desc()).limit(limit)
    with database.reading() as connection:
        return [_differing(row) for row in connection.execute(wanted)]


def sweep(database: Database, before: datetime) -> int:
    """Forget what was said of older series."""
    with database.transaction() as connection:
        return connection.execute(delete(shadow_decision).where(shadow_decision.c.at < before)).rowcount


def _differing(row: Row[Any]) -> Differing:
    return Differing(row.series_instance_uid, row.at, row.rule_set_version, row.decided, row.would)
