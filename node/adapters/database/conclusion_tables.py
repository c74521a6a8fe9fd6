"""The table of what models found on series, for the rules."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Integer, String, Table, Text

from node.adapters.database.tables import UID, Moment, metadata

conclusion = Table(
    "conclusion",
    metadata,
    # result.<model>.<name> of one version of a series: its newest job's
    Column("series_instance_uid", UID, ForeignKey("series.series_instance_uid"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("model", String(128), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    Column("probability", Float, nullable=False),
    Column("job_id", Integer, ForeignKey("job.id"), nullable=False),
    Column("at", Moment, nullable=False),
)

likeness = Table(
    "likeness",
    metadata,
    # how unlike the usual series a job's volume was to its model, for ood.<model> and for whoever looks
    Column("job_id", Integer, ForeignKey("job.id"), primary_key=True),
    Column("score", Float, nullable=False),
    Column("percentile", Float, nullable=False),
    Column("calibration", String(64), nullable=False),  # SHA-256 of calibration.npz
    Column("at", Moment, nullable=False),
)

shown = Table(
    "shown",
    metadata,
    # what of a job's volume was shown to its model
    Column("job_id", Integer, ForeignKey("job.id"), primary_key=True),
    Column("slices", Integer, nullable=False),
    Column("blank", Integer, nullable=False),  # of one value: background without being asked for
    Column("encoder", Text, nullable=False),  # the model whose features a shared head took; "": none
)
