"""What was free on the disk, now and then."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select

from node.adapters.database.board_tables import disk_sample
from node.adapters.database.engine import Database
from node.core.board import Sample

KEPT_FOR = timedelta(days=60)


def keep(database: Database, sample: Sample) -> None:
    """Keep a sample; those older than KEPT_FOR go."""
    with database.transaction() as connection:
        connection.execute(insert(disk_sample).values(at=sample.at, room=sample.room))
        connection.execute(delete(disk_sample).where(disk_sample.c.at < sample.at - KEPT_FOR))


def newest_at(database: Database) -> datetime | None:
    with database.reading() as connection:
        wanted = select(disk_sample.c.at).order_by(disk_sample.c.at.desc()).limit(1)
        at: datetime | None = connection.scalar(wanted)
        return at


def since(database: Database, begin: datetime) -> list[Sample]:
    """Samples from then on, the oldest first."""
    wanted = select(disk_sample).where(disk_sample.c.at >= begin).order_by(disk_sample.c.at)
    with database.reading() as connection:
        return [Sample(row.at, row.room) for row in connection.execute(wanted)]
