"""What was removed, in its order: bytes that went while their rows stayed, and at whose wish."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from node.adapters.database.tables import UID, Moment, metadata

removal = Table(
    "removal",
    metadata,
    Column("number", Integer, primary_key=True),  # committed in this order: see removals.note
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),  # a person, or "retention"; "": from before it was noted here
    Column("series_instance_uid", UID, nullable=False),
    Column("sop_instance_uid", UID, nullable=False),  # "": the whole series, and the results of its jobs
)
