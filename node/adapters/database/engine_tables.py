"""The tables of what carries the work: the processes that live, what each does alone, and what is paused."""

from __future__ import annotations

from sqlalchemy import Column, Float, String, Table, Text

from node.adapters.database.tables import Moment, metadata

process = Table(
    "process",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("since", Float, nullable=False),  # seconds of the epoch, by the database's clock: ours may differ
    Column("beat", Float, nullable=False),  # the last sign of life, by the same clock
    Column("role", String(16), nullable=False, default="", server_default=""),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(128), primary_key=True),  # what is done by one process alone
    Column("holder", String(64), nullable=False),  # counts while that process lives
)

pause = Table(
    "pause",
    metadata,
    Column("kind", String(16), primary_key=True),  # model, destination
    Column("name", String(128), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
)
