"""The tables of notices: causes, who was told what of them, and whether those who are told can be reached."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text, text

from node.adapters.database.tables import Moment, metadata

alarm = Table(
    "alarm",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cause", Text, nullable=False, unique=True),  # kind:name
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("severity", String(8), nullable=False),
    Column("what", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("known", Integer, nullable=False),  # 1: a person paused it
    Column("recipients", JSON, nullable=False),  # of a rule's
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("acknowledged_at", Moment),
    Column("acknowledged_by", Text, nullable=False),
    Column("acknowledged_number", Integer, nullable=False),
    Column("acknowledged_severity", String(8), nullable=False),
    Index(
        "ix_alarm_open",
        "id",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

alarm_told = Table(
    "alarm_told",
    metadata,
    Column("alarm_id", Integer, ForeignKey("alarm.id"), primary_key=True),
    Column("listener", String(64), primary_key=True),
    Column("messages", Integer, nullable=False),
    Column("is_open", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("severity", String(8), nullable=False),
    Column("at", Moment),
)

listener = Table(
    "listener",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),  # in a row
    Column("since", Moment),
    Column("next_try_at", Moment),
    Column("reason", Text, nullable=False),
    Column("sent", Integer, nullable=False),  # messages that it took, ever
    Column("last_sent_at", Moment),
)

message = Table(
    "message",
    metadata,
    # What was sent; kept for a while, for people
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("alarm_id", Integer, ForeignKey("alarm.id"), nullable=False),
    Column("listener", String(64), nullable=False),
    Column("what", String(16), nullable=False),
    Column("subject", Text, nullable=False),
    Index(None, "alarm_id"),
    Index(None, "at"),
)

lost_process = Table(
    "lost_process",
    metadata,
    # A process that gave no sign of life and was given up, until another of its role begins
    Column("id", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("at", Moment, nullable=False),
)
