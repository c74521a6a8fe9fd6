"""Found by name at once, the newest first; why something waits for a person."""

from collections.abc import Iterator
from functools import partial

import sqlalchemy as sa
from alembic import op

from node.core.causes import of_job, of_series
from node.core.dicomweb.names import words
from node.core.states import STUCK_JOBS, JobState

revision = "0019"
down_revision = "0018"

_ORDER = ["first_at", "series_instance_uid"]
_MANY = 1000


def upgrade() -> None:
    for table in ("series", "job"):
        op.add_column(table, sa.Column("cause", sa.String(length=40), nullable=True))
    word = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")
    op.create_table(
        "name_word",
        sa.Column("word", word, nullable=False),
        sa.Column("study_instance_uid", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("word", "study_instance_uid", name=op.f("pk_name_word")),
    )
    _fill_words()
    _fill_causes()
    _index()


def _index() -> None:
    op.create_index(op.f("ix_name_word_study_instance_uid_word"), "name_word", ["study_instance_uid", "word"])
    op.create_index(op.f("ix_series_first_at_series_instance_uid"), "series", _ORDER)
    for column in ("study_instance_uid", "patient_id", "accession_number"):
        op.drop_index(op.f(f"ix_series_{column}"), table_name="series")
        op.create_index(op.f(f"ix_series_{column}_first_at_series_instance_uid"), "series", [column, *_ORDER])
    there = sa.text("cause IS NOT NULL")
    both = partial(op.create_index, sqlite_where=there, postgresql_where=there)
    both(op.f("ix_series_cause_first_at_series_instance_uid"), "series", ["cause", *_ORDER])
    both(op.f("ix_job_cause_id"), "job", ["cause", "id"])


def _fill_words() -> None:
    connection = op.get_bind()
    table = sa.table("name_word", sa.column("word"), sa.column("study_instance_uid"))
    named = sa.text("SELECT DISTINCT study_instance_uid, patient_name FROM series WHERE patient_name <> ''")
    there: set[tuple[str, str]] = set()
    for row in connection.execute(named).all():
        there |= {(word, row.study_instance_uid) for word in words(row.patient_name)}
    for some in _some(sorted(there)):
        connection.execute(table.insert(), [{"word": word, "study_instance_uid": study} for word, study in some])


def _fill_causes() -> None:
    connection = op.get_bind()
    held = sa.text(
        "SELECT series.series_instance_uid AS uid, series.reason, COALESCE(decision.rule, '') AS rule FROM series "
        "LEFT JOIN decision ON decision.series_instance_uid = series.series_instance_uid "
        "AND decision.version = series.version WHERE series.state = 'held'"
    )
    for row in connection.execute(held).all():
        mine = {"cause": of_series(row.rule, row.reason), "uid": row.uid}
        connection.execute(sa.text("UPDATE series SET cause = :cause WHERE series_instance_uid = :uid"), mine)
    stuck = sa.text("SELECT id, state, model, reason FROM job WHERE state IN :states").bindparams(
        sa.bindparam("states", [str(state) for state in STUCK_JOBS], expanding=True)
    )
    for one in connection.execute(stuck).all():
        mine = {"cause": of_job(JobState(one.state), None, one.model, one.reason), "id": one.id}
        connection.execute(sa.text("UPDATE job SET cause = :cause WHERE id = :id"), mine)


def _some(rows: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    yield from (rows[start : start + _MANY] for start in range(0, len(rows), _MANY))
