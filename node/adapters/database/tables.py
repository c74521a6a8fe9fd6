"""The tables. Times are UTC; UIDs and texts are kept as received, bounded by what DICOM allows and a little more."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """A UTC time. SQLite keeps no zone, so it is taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


UID = String(128)  # the standard allows 64 (PS3.5 9.1); received ones may be longer
AE = String(16)

receipt = Table(
    "receipt",
    metadata,
    Column("chain", String(64), primary_key=True),  # one per receiving process; see core.ledger
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1, without gaps
    Column("at", Moment, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("calling_ae", String(64), nullable=False),
    Column("called_ae", String(64), nullable=False),
    Column("host", String(64), nullable=False),
    Column("association", String(64), nullable=False),
    Column("sop_class_uid", UID, nullable=False),
    Column("sop_instance_uid", UID, nullable=False),
    Column("series_instance_uid", UID, nullable=False),
    Column("study_instance_uid", UID, nullable=False),
    Column("transfer_syntax_uid", UID, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("disposition", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("path", String(200), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Index(None, "series_instance_uid"),
    Index(None, "study_instance_uid"),
    Index(None, "sop_instance_uid"),
    *(
        Index(
            f"ix_receipt_path_{disposition}",
            "path",
            sqlite_where=text(f"disposition = '{disposition}'"),
            postgresql_where=text(f"disposition = '{disposition}'"),
        )
        for disposition in ("conflict", "refused")
    ),
)

instance = Table(
    "instance",
    metadata,
    Column("sop_instance_uid", UID, primary_key=True),
    Column("sop_class_uid", UID, nullable=False),
    Column("series_instance_uid", UID, nullable=False),
    Column("study_instance_uid", UID, nullable=False),
    Column("transfer_syntax_uid", UID, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("path", String(200), nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("facts", JSON(none_as_null=True)),  # core.dicom.Facts; read from the file when the series is judged
    Column("removed_at", Moment),  # when its bytes went; the row stays
    Column("erased_by", Text),  # the person who had them removed; null: they are there, or retention had
    Index(None, "path"),
    Index(None, "series_instance_uid"),
    Index(None, "study_instance_uid"),
)

series = Table(
    "series",
    metadata,
    Column("series_instance_uid", UID, primary_key=True),
    Column("study_instance_uid", UID, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("version", Integer, nullable=False, default=1),  # grows when an instance comes after completion
    Column("channel", String(16), nullable=False),
    Column("calling_ae", String(64), nullable=False),
    Column("called_ae", String(64), nullable=False),
    Column("host", String(64), nullable=False),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("look_at", Moment),  # when completion is to be judged next; null: not waiting
    Column("completed_at", Moment),
    Column("evidence", Text, nullable=False, default=""),  # what completed it, as a sentence
    Column("modality", String(64), nullable=False, default=""),
    Column("series_description", Text, nullable=False, default=""),
    Column("patient_id", Text, nullable=False, default=""),
    Column("issuer_of_patient_id", Text, nullable=False, default="", server_default=""),
    Column("patient_name", Text, nullable=False, default=""),
    Column("search_name", Text, nullable=False, default=""),  # patient_name folded for the search
    Column("accession_number", Text, nullable=False, default=""),
    Column("study_date", String(16), nullable=False, default=""),
    Column("study_description", Text, nullable=False, default=""),
    Column("removed_at", Moment),  # when its bytes went; null again when a late instance came
    Column("promised", Integer, nullable=False, default=0, server_default="0"),  # 1: by storage commitment
    Column("cause", String(40)),  # core.causes: why it waits for a person; null: it does not
    Index(None, "first_at", "series_instance_uid"),  # the newest first, a page at a time: of all, and of these
    Index(None, "study_instance_uid", "first_at", "series_instance_uid"),
    Index(None, "patient_id", "first_at", "series_instance_uid"),
    Index(None, "accession_number", "first_at", "series_instance_uid"),
    Index(None, "state", "look_at"),
    Index(  # those whose bytes may go next
        "ix_series_removable",
        *("state", "completed_at"),
        sqlite_where=text("removed_at IS NULL AND promised = 0"),
        postgresql_where=text("removed_at IS NULL AND promised = 0"),
    ),
    Index(
        None,
        *("cause", "first_at", "series_instance_uid"),
        sqlite_where=text("cause IS NOT NULL"),
        postgresql_where=text("cause IS NOT NULL"),
    ),
)

_WORD = String(64).with_variant(String(64, collation="C"), "postgresql")  # compared letter by letter

name_word = Table(  # every spelling of every word of a patient's name (core.dicomweb.names), for the search
    "name_word",
    metadata,
    Column("word", _WORD, primary_key=True),
    Column("study_instance_uid", UID, primary_key=True),
    Index(None, "study_instance_uid", "word"),
)

rule_set = Table(
    "rule_set",
    metadata,
    Column("version", String(64), primary_key=True),  # sha256 over the files
    Column("published_at", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("files", JSON, nullable=False),  # file name → YAML text
)

decision = Table(
    "decision",
    metadata,
    Column("series_instance_uid", UID, ForeignKey("series.series_instance_uid"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("rule_set_version", String(64), nullable=False),
    Column("rule", Text, nullable=False),  # that settled it; "": no rule did
    Column("at", Moment, nullable=False),
    Column("outcomes", JSON, nullable=False),  # per rule: matched, not matched, unknown, not reached; why
)

job = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("series_instance_uid", UID, ForeignKey("series.series_instance_uid"), nullable=False),
    Column("version", Integer, nullable=False),  # of the series
    Column("rule", Text, nullable=False),
    Column("rule_set_version", String(64), nullable=False),
    Column("model", String(128), nullable=False),
    Column("model_version", String(32), nullable=False),  # "" until the rule or the card fixes it
    Column("volume", Text, nullable=False),  # which volume of the series; "" for the only one
    Column("destinations", JSON, nullable=False),
    Column("priority", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("stage", String(8)),
    Column("reason", Text, nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_try_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("seconds", JSON, nullable=False, default=dict),  # per stage
    Column("segments", JSON, nullable=False, default=list),  # number, label, volume_ml, mean
    Column("supersedes", Integer, ForeignKey("job.id")),
    Column("lane", Text, nullable=False, default="", server_default=""),  # core.jobs.Lane: what it waits for
    Column("rank", Integer, nullable=False, default=1, server_default="1"),  # of its priority
    Column("owner", String(64)),  # the process that works on it
    Column("claim", Integer, nullable=False, default=0, server_default="0"),  # number of its last claim
    Column("cut_off", Integer, nullable=False, default=0, server_default="0"),  # attempts that ended their process
    Column("deadline_at", Moment),  # when its results are wanted at their destinations
    Column("overdue", Integer, nullable=False, default=0, server_default="0"),  # 1: they were not there by then
    Column("cause", String(40)),  # core.causes: why it waits for a person; null: it does not
    Index(None, "series_instance_uid"),
    Index(None, "state", "lane", "rank", "next_try_at", "id"),  # the next one of 100 000 is found at once
    Index(  # and the one whose deadline is next
        None,
        *("state", "lane", "rank", "deadline_at", "next_try_at", "id"),
        sqlite_where=text("deadline_at IS NOT NULL"),
        postgresql_where=text("deadline_at IS NOT NULL"),
    ),
    Index(
        None,
        *("state", "overdue", "deadline_at"),
        sqlite_where=text("deadline_at IS NOT NULL"),
        postgresql_where=text("deadline_at IS NOT NULL"),
    ),
    Index(None, "model", "id"),  # the newest ones of a model
    Index(None, "state", "id"),  # and of a state
    Index(
        None,
        "supersedes",
        sqlite_where=text("supersedes IS NOT NULL"),
        postgresql_where=text("supersedes IS NOT NULL"),
    ),
    Index(
        None,
        *("cause", "id"),
        sqlite_where=text("cause IS NOT NULL"),
        postgresql_where=text("cause IS NOT NULL"),
    ),
    UniqueConstraint("series_instance_uid", "version", "model", "volume"),
)

change = Table(
    "change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("series_instance_uid", UID, nullable=False),
    Column("job_id", Integer),  # null: a change of the series
    Column("state", String(16), nullable=False),
    Column("stage", String(8)),
    Column("reason", Text, nullable=False),
    Index(None, "series_instance_uid"),
)

result = Table(
    "result",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", Integer, ForeignKey("job.id"), nullable=False),
    Column("kind", String(8), nullable=False),  # SEG, SR
    Column("sop_class_uid", UID, nullable=False),
    Column("series_instance_uid", UID, nullable=False),
    Column("sop_instance_uid", UID, nullable=False),
    Column("path", String(200), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("removed_at", Moment),  # when its bytes went; the row stays
    UniqueConstraint("job_id", "kind"),
    Index(None, "path"),
    Index(None, "sop_instance_uid"),
    Index(None, "series_instance_uid"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("result_id", Integer, ForeignKey("result.id"), nullable=False),
    Column("destination", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("answer", Text, nullable=False, default=""),  # what the destination said last
    Column("attempts", Integer, nullable=False, default=0),
    Column("at", Moment),  # of the last attempt
    UniqueConstraint("result_id", "destination"),
    Index(
        "ix_delivery_waiting",
        *("destination", "result_id"),
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
)

sender = Table(
    "sender",
    metadata,
    Column("calling_ae", String(64), primary_key=True),
    Column("host", String(64), primary_key=True),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("associations", Integer, nullable=False),
    Column("admitted", Integer, nullable=False),  # 1 when listed, admitted, or anybody may send
    Column("reason", Text, nullable=False),
)
