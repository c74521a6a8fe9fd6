"""The tables of the index. Text is in the form in which it is matched (core/dicomweb/entry)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = 3  # another one is made anew

metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s"})

_UID = String(128)
_KEY = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up by itself in INTEGER only


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="")


version = Table("index_version", metadata, Column("version", Integer, primary_key=True))

follow = Table(
    "index_follow",
    metadata,
    Column("source", String(80), primary_key=True),  # "results", "removals", or "ledger " and a chain
    Column("number", BigInteger, nullable=False),  # of the last row that is in the index
)

_ORDER = ("study_date", "study_time", "id")
_SEARCHED = (
    "patient_name", "patient_name_words", "patient_id", "accession_number", "study_description", "modalities",
    "study_id", "referring_physician", "referring_physician_words", "birth_date", "sex", "study_instance_uid",
)  # fmt: skip

study = Table(
    "index_study",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("study_instance_uid", _UID, nullable=False, unique=True),
    *map(_text, ("study_date", "study_time", "accession_number", "study_id", "study_description", "modalities")),
    *map(_text, ("referring_physician", "referring_physician_words", "patient_name", "patient_name_words")),
    *map(_text, ("patient_id", "birth_date", "sex")),
    Column("series_count", Integer, nullable=False, default=0),  # without superseded ones
    Column("instance_count", Integer, nullable=False, default=0),
    # SQLite looks through it in the order of the answer and reads no row that does not match.
    Index("ix_index_study_all", *_ORDER, *_SEARCHED).ddl_if(dialect="sqlite"),
    Index("ix_index_study_order", *_ORDER).ddl_if(dialect="postgresql"),  # which bounds the size of an entry
    Index(None, "patient_id"),
    Index(None, "accession_number"),
)

series = Table(
    "index_series",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("study_key", _KEY, ForeignKey("index_study.id"), nullable=False),
    Column("series_instance_uid", _UID, nullable=False),
    *map(_text, ("modality", "series_number", "series_description", "body_part", "protocol_name")),
    *map(_text, ("step_date", "step_time")),
    Column("position", BigInteger, nullable=False, default=0),  # its number, for the order
    Column("instance_count", Integer, nullable=False, default=0),
    Column("newest", BigInteger, nullable=False, default=0),  # another number when instances come or go
    Column("superseded", Boolean, nullable=False, default=False),  # a result that a later version replaced
    UniqueConstraint("study_key", "series_instance_uid"),
    Index(None, "series_instance_uid"),
    # In the order of the answer, with what hides a series: a page, and the count behind it, read no row for it.
    Index("ix_index_series_order", "study_key", "position", "id", "superseded"),
    Index("ix_index_series_modality", "modality", "study_key", "position", "id", "superseded"),
)

instance = Table(
    "index_instance",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("series_key", _KEY, ForeignKey("index_series.id"), nullable=False),
    Column("sop_instance_uid", _UID, nullable=False, unique=True),
    Column("sop_class_uid", _UID, nullable=False),
    Column("transfer_syntax_uid", _UID, nullable=False),
    *map(_text, ("instance_number", "content_date", "content_time")),
    Column("position", BigInteger, nullable=False, default=0),
    Index(None, "series_key", "position", "id"),
)

request = Table(
    "index_request",
    metadata,
    Column("series_key", _KEY, ForeignKey("index_series.id"), primary_key=True),
    Column("scheduled_step_id", String(256), primary_key=True),
    Column("requested_procedure_id", String(256), primary_key=True),
    Index(None, "scheduled_step_id"),
    Index(None, "requested_procedure_id"),
)

attributes = Table(  # apart from what is matched, so that a look over all rows reads little
    "index_attributes",
    metadata,
    Column("level", String(8), primary_key=True),
    Column("key", _KEY, primary_key=True, autoincrement=False),
    Column("attributes", JSON, nullable=False),  # the DICOM JSON Model
)

file = Table(
    "index_file",
    metadata,
    Column("instance_key", _KEY, ForeignKey("index_instance.id"), primary_key=True, autoincrement=False),
    Column("store", String(16), nullable=False),  # instances, results
    Column("path", String(200), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("place", JSON(none_as_null=True)),  # core.dicomweb.pixels.PixelPlace
    Column("document", LargeBinary, nullable=False),  # the header in the DICOM JSON Model, zlib
)

prepared = Table(  # metadata of a series as it goes over the wire, gzip
    "index_prepared",
    metadata,
    Column("series_key", _KEY, ForeignKey("index_series.id"), primary_key=True, autoincrement=False),
    Column("etag", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
)
