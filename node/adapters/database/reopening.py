"""What a person decides of a whole series: given to the rules once more, or dismissed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from node.adapters.database import audit
from node.adapters.database.engine import Database
from node.adapters.database.tables import change, series
from node.core.states import SERIES_STEPS, SeriesState


def reopen(database: Database, uid: str, reason: str, actor: str, now: datetime) -> str:
    """Let it wait again, as a new version, as if an instance had come: the rules of this moment decide, and what they
    ask for takes the place of what there is. Why not, as the end of a sentence; "" when it was done.
    """
    mine = series.c.series_instance_uid == uid
    with database.transaction() as connection:
        row = connection.execute(select(series).where(mine).with_for_update()).first()
        if row is None:
            return "there is no such series"
        if row.state == SeriesState.WAITING:
            return "it is not complete yet: the rules decide as soon as it is"
        if row.removed_at is not None:
            return "its images were removed to make room: have them sent again"
        values = {"state": SeriesState.WAITING, "version": row.version + 1, "reason": reason, "evidence": ""}
        again = {**values, "completed_at": None, "cause": None, "look_at": now}
        connection.execute(update(series).where(mine).values(**again))
        _note(connection, row, SeriesState.WAITING, "series.reprocess", reason, actor, now)
    return ""


def dismiss(database: Database, uid: str, reason: str, actor: str, now: datetime) -> str:
    """Nothing is to be done with a held series. Why not, as the end of a sentence; "" when it was done."""
    mine = series.c.series_instance_uid == uid
    with database.transaction() as connection:
        row = connection.execute(select(series).where(mine).with_for_update()).first()
        if row is None:
            return "there is no such series"
        if SeriesState.DISMISSED not in SERIES_STEPS[SeriesState(row.state)]:
            return f"it is {row.state}: only what is held can be dismissed"
        connection.execute(update(series).where(mine).values(state=SeriesState.DISMISSED, reason=reason, cause=None))
        _note(connection, row, SeriesState.DISMISSED, "series.dismiss", reason, actor, now)
    return ""


def _note(
    connection: Connection, row: Row[Any], state: SeriesState, what: str, reason: str, actor: str, now: datetime
) -> None:
    uid = row.series_instance_uid
    line = {"at": now, "actor": actor, "series_instance_uid": uid, "state": state, "reason": reason}
    connection.execute(insert(change), line)
    before, after = {"state": row.state, "version": row.version}, {"state": str(state)}
    audit.note(connection, now, what, f"series {uid}", actor=actor, before=before, after=after, reason=reason)
