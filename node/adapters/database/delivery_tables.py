"""The tables of delivery: breakers, what destinations are able to, and what storage commitment was asked for."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Integer, String, Table, Text

from node.adapters.database.tables import UID, Moment, metadata

breaker = Table(
    "breaker",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("failures", Integer, nullable=False),  # in a row
    Column("since", Moment),
    Column("next_try_at", Moment),  # None: closed
    Column("reason", Text, nullable=False),
)

capability = Table(
    "capability",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("card", JSON, nullable=False),  # what `destinations test` saw
)

promise = Table(  # storage commitment that the node asked for as SCU (PS3.4 annex J)
    "promise",
    metadata,
    Column("delivery_id", Integer, ForeignKey("delivery.id"), primary_key=True),
    Column("transaction_uid", UID, nullable=False, index=True),
    Column("destination", Text, nullable=False),  # a member, where the delivery goes to a group
    Column("sop_instance_uid", UID, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("answer", Text, nullable=False),  # what it answered to the C-STORE before
    Column("state", String(16), nullable=False),  # asked, committed, failed
    Column("reason", Text, nullable=False),
)
