"""The tables of the services beside Storage: admission, MPPS, counts of protocols, storage commitment."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text

from node.adapters.database.tables import UID, Moment, metadata

admission = Table(
    "admission",
    metadata,
    Column("calling_ae", String(64), primary_key=True),
    Column("host", String(64), primary_key=True),  # "": from anywhere
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
)

mpps = Table(  # Modality Performed Procedure Step (PS3.4 F.7)
    "mpps",
    metadata,
    Column("sop_instance_uid", UID, primary_key=True),
    Column("state", String(16), nullable=False),  # Performed Procedure Step Status (0040,0252)
    Column("calling_ae", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

performed_series = Table(  # an item of Performed Series Sequence (0040,0340)
    "performed_series",
    metadata,
    Column("mpps", UID, ForeignKey("mpps.sop_instance_uid"), primary_key=True),
    Column("series_instance_uid", UID, primary_key=True),
    Column("sop_instance_uids", JSON, nullable=False),
    Index(None, "series_instance_uid"),
)

protocol_count = Table(
    "protocol_count",
    metadata,
    Column("series_instance_uid", UID, primary_key=True),
    Column("protocol", String(64), nullable=False),  # digest of sender, protocol name and description
    Column("instances", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Index(None, "protocol", "at"),
)

commitment = Table(  # a storage commitment request (PS3.4 J.3.2)
    "commitment",
    metadata,
    Column("calling_ae", String(64), primary_key=True),
    Column("transaction_uid", UID, primary_key=True),
    Column("referenced", JSON, nullable=False),  # [SOP Class UID, SOP Instance UID] of each
    Column("requested_at", Moment, nullable=False),
    Column("state", String(16), nullable=False),  # waiting, reported, given_up
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_try_at", Moment),
    Column("answer", Text, nullable=False, default=""),  # what became of the last attempt
    Index(None, "state", "next_try_at"),
)
