"""Whether anything of a drill is where it must not be: among the series of the node itself."""

from __future__ import annotations

from sqlalchemy import func, select

from node.adapters.database.engine import Database
from node.adapters.database.tables import series
from node.core.drill import PATIENT


def traces(database: Database) -> int:
    """How many series of this node are a drill's: none."""
    mine = (series.c.patient_id >= f"{PATIENT}-") & (series.c.patient_id < f"{PATIENT}-\uffff")
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(series).where(mine)) or 0
