"""The tables of the feeds: how far each has come, and what it could not get."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from node.adapters.database.tables import Moment, metadata

feed = Table(
    "feed",
    metadata,
    Column("name", String(64), primary_key=True),  # of the source
    Column("position", BigInteger, nullable=False),  # the last change that is wholly in the ledger; 0: none
    Column("mark", Text, nullable=False),  # what that change was: another one at its place means another archive
    Column("fault", Text, nullable=False),  # why it does not get on at present; "" while it does
    Column("at", Moment, nullable=False),  # of the last step of position or fault
    Column("missed", Integer, nullable=False, default=0, server_default="0"),  # instances that it could not get
)

missed = Table(
    "missed",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("feed", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("instance", String(128), nullable=False),  # its identifier in the other archive
    Column("reason", Text, nullable=False),
    Index(None, "feed"),
)
