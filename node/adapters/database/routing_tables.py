"""The tables of what rules did to a series beside its jobs."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text, text

from node.adapters.database.tables import UID, Moment, metadata

tag = Table(
    "series_tag",
    metadata,
    Column("series_instance_uid", UID, ForeignKey("series.series_instance_uid"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("tag", String(64), primary_key=True),
    Index(None, "tag"),
)

notice = Table(
    "notice",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("series_instance_uid", UID, ForeignKey("series.series_instance_uid"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("recipients", JSON, nullable=False),  # names, as the rule has them
    Column("text", Text, nullable=False),
    Column("sent_at", Moment),  # null: nobody was told yet
    Column("alarm_id", Integer),  # under which it is told; null: not gathered yet
    Column("place", Integer),  # among those of the alarm, from 1
    Index(None, "series_instance_uid"),
    Index(None, "sent_at"),
    Index(None, "alarm_id", "place"),
    Index(
        "ix_notice_untold",
        *("alarm_id", "place"),
        sqlite_where=text("sent_at IS NULL"),
        postgresql_where=text("sent_at IS NULL"),
    ),
)

ready = Table(
    "ready",
    metadata,
    # A complete series that waits for others of its study. It counts while no instance came since.
    Column("series_instance_uid", UID, ForeignKey("series.series_instance_uid"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("last_at", Moment, nullable=False),
)

job_series = Table(
    "job_series",
    metadata,
    Column("job_id", Integer, ForeignKey("job.id"), primary_key=True),
    Column("need", String(32), primary_key=True),  # as the rule names it
    Column("place", Integer, nullable=False),  # of the need in the rule, from 0
    Column("series_instance_uid", UID, nullable=False),
    Column("used", Integer),  # how many of its instances the last attempt read; null: none of them yet
    Index(None, "series_instance_uid"),
)
