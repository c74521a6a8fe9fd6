"""The tables of rule sets in use: their history, and what is kept to try others on."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from node.adapters.database.tables import UID, Moment, metadata

header = Table(  # of a series that was given to the rules, until many are gathered in a chunk
    "header",
    metadata,
    Column("series_instance_uid", UID, primary_key=True),
    Column("study_instance_uid", UID, nullable=False),
    Column("version", Integer, nullable=False),  # of the series
    Column("at", Moment, nullable=False),  # when the rules decided
    Column("arrived_at", Moment),  # its last instance; null: kept by a release that did not know
    Column("content", LargeBinary, nullable=False),  # key → cell (core.kept), packed
    Index(None, "at"),
    Index(None, "study_instance_uid"),
)

header_chunk = Table(  # the headers of many series, column by column
    "header_chunk",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("oldest_at", Moment, nullable=False),
    Column("newest_at", Moment, nullable=False),
    Column("number", Integer, nullable=False),  # of series
    Column("series", LargeBinary, nullable=False),  # UID, study, version, time and arrival of each, packed
    Index(None, "newest_at"),
)

header_column = Table(
    "header_column",
    metadata,
    Column("chunk_id", Integer, ForeignKey("header_chunk.id"), primary_key=True),
    Column("key", String(160), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

rule_hit = Table(  # a rule matched a series
    "rule_hit",
    metadata,
    Column("series_instance_uid", UID, primary_key=True),
    Column("version", Integer, primary_key=True),  # of the series
    Column("rule", String(64), primary_key=True),
    Column("at", Moment, nullable=False),
    Index(None, "rule", "at"),
)

rule_tally = Table(  # how often a rule matched, hour by hour: what a page may count
    "rule_tally",
    metadata,
    Column("rule", String(64), primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False),  # since 1970
    Column("hits", Integer, nullable=False),
    Column("last_at", Moment, nullable=False),
)

rule_draft = Table(  # what an author is changing; one of each
    "rule_draft",
    metadata,
    Column("author", String(256), primary_key=True),
    Column("base", Integer, nullable=False),  # publication that it was made from
    Column("revision", Integer, nullable=False),  # grows with every change
    Column("at", Moment, nullable=False),
    Column("files", JSON, nullable=False),  # file name → YAML text
)

publication = Table(  # which rule set was in use from when on; the newest is in use
    "publication",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1, without gaps
    Column("version", String(64), ForeignKey("rule_set.version"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("origin", String(16), nullable=False),  # directory, publish, rollback
    Column("approver", Text, nullable=False),  # "": nobody was asked
    Column("simulation", JSON(none_as_null=True)),  # digest and sentence of what was foretold
)

proposal = Table(  # a rule set that waits for a second person
    "proposal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", String(64), ForeignKey("rule_set.version"), nullable=False),
    Column("base", Integer, nullable=False),  # publication that was in use when it was proposed; 0: none
    Column("at", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("state", String(16), nullable=False),  # open, approved, rejected
    Column("decided_by", Text, nullable=False),
    Column("decided_at", Moment),
    Column("simulation", JSON(none_as_null=True)),
)

simulation = Table(
    "simulation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("version", String(64), ForeignKey("rule_set.version"), nullable=False),
    Column("base", String(64), nullable=False),
    Column("days", Integer, nullable=False),  # 0: all that is kept
    Column("state", String(16), nullable=False),  # running, done, failed
    Column("process", String(64), nullable=False),  # that runs it
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("result", JSON(none_as_null=True)),
)

shadow = Table(  # a draft that is asked about live series and does nothing; the newest row counts
    "shadow",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("version", String(64), nullable=False),  # "": none from here on
    Column("at", Moment, nullable=False),
    Column("author", Text, nullable=False),
)

shadow_decision = Table(
    "shadow_decision",
    metadata,
    Column("shadow", Integer, ForeignKey("shadow.number"), primary_key=True),
    Column("series_instance_uid", UID, primary_key=True),
    Column("version", Integer, primary_key=True),  # of the series
    Column("at", Moment, nullable=False),
    Column("rule_set_version", String(64), nullable=False),  # that decided
    Column("differs", Integer, nullable=False),  # 0 or 1
    Column("decided", JSON, nullable=False),
    Column("would", JSON, nullable=False),
    Index(None, "shadow", "differs", "at"),
    Index(None, "at"),
)
