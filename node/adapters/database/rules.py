"""Published rule sets: immutable, named by the sha256 of their files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from node.adapters.database.engine import Database
from node.adapters.database.tables import rule_set


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
