"""The tables of destinations and sources that are kept beside those of node.toml."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, String, Table, Text

from node.adapters.database.tables import Moment, metadata

place = Table(
    "place",
    metadata,
    Column("family", String(16), primary_key=True),  # destination, source, group
    Column("name", String(64), primary_key=True),
    Column("written", JSON, nullable=False),  # as in node.toml, with "kind", without name and secrets
    Column("secrets", JSON, nullable=False),  # password, token; never handed out
    Column("revision", Integer, nullable=False),  # from 1; grows with every change
)

place_change = Table(  # who changed what; the newest number tells every process whether it is up to date
    "place_change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("family", String(16), nullable=False),
    Column("name", String(64), nullable=False),
    Column("action", String(16), nullable=False),  # added, edited, removed
    Column("before", JSON),  # keys without secrets; null: there was none
    Column("after", JSON),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Index(None, "family", "name", "id"),
)

sender_request = Table(  # what a sender asked for last: who is to be admitted is known by it
    "sender_request",
    metadata,
    Column("calling_ae", String(64), primary_key=True),
    Column("host", String(64), primary_key=True),
    Column("called_ae", String(64), nullable=False),
    Column("certificate_name", Text, nullable=False),  # of its TLS certificate; "": it showed none
    Column("proposed", JSON, nullable=False),  # SOP Class UIDs
)
