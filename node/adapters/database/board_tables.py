"""The tables of the board: what cannot be read from the rows of the work itself."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text

from node.adapters.database.tables import Moment, metadata

disk_sample = Table(  # what was free, now and then, for the trend
    "disk_sample",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("room", BigInteger, nullable=False),  # bytes above the low watermark
    Index(None, "at"),
)

model_report = Table(  # what each process that infers sees of each model
    "model_report",
    metadata,
    Column("process", String(64), primary_key=True),
    Column("model", String(128), primary_key=True),
    Column("version", String(32), nullable=False),
    Column("at", Moment, nullable=False),
    Column("canary_at", Moment),  # when the canary was asked last; null: not yet
    Column("fault", Text, nullable=False),  # why the model may not be used; "": its canary passed
    Column("alone", Integer, nullable=False),  # 1: it failed several times in a row and is not asked for a while
    Column("in_flight", Integer, nullable=False),  # requests that the server has not answered yet
    Column("answered", Integer, nullable=False),  # 1: the server told its statistics
    Column("requests", BigInteger, nullable=False),  # these and what follows: since the server loaded it
    Column("failed", BigInteger, nullable=False),
    Column("slices", BigInteger, nullable=False),
    Column("queue_seconds", Float, nullable=False),
    Column("compute_seconds", Float, nullable=False),
)
