"""The series that somebody asks the rules about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from node.adapters.database.engine import Database
from node.adapters.database.tables import series

_MOST = 100


@dataclass(frozen=True)
class Named:
    """A series, as it is told from others."""

    series_instance_uid: str
    series_description: str
    modality: str
    state: str
    reason: str
    last_at: datetime


def named(database: Database, text: str) -> list[Named]:
    """Series with that SeriesInstanceUID, StudyInstanceUID or accession number, in the order in which they came."""
    wanted = text.strip()
    if not wanted or "\0" in wanted:
        return []
    alike = or_(
        series.c.series_instance_uid == wanted,
        series.c.study_instance_uid == wanted,
        series.c.accession_number == wanted,
    )
    with database.reading() as connection:
        rows = connection.execute(select(series).where(alike).order_by(series.c.first_at).limit(_MOST))
        return [
            Named(row.series_instance_uid, row.series_description, row.modality, row.state, row.reason, row.last_at)
            for row in rows
        ]
