"""Indexes for what is asked often of tables that grow, and how many instances a feed missed."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_index(op.f("ix_job_state_id"), "job", ["state", "id"])
    op.create_index(op.f("ix_result_path"), "result", ["path"])
    op.create_index(op.f("ix_shadow_decision_shadow_differs_at"), "shadow_decision", ["shadow", "differs", "at"])
    op.create_index(op.f("ix_shadow_decision_at"), "shadow_decision", ["at"])
    _some("ix_delivery_waiting", "delivery", ["destination", "result_id"], "state = 'waiting'")
    _some("ix_notice_untold", "notice", ["alarm_id", "place"], "sent_at IS NULL")
    op.drop_index(op.f("ix_series_removed_at_completed_at"), table_name="series")
    _some("ix_series_removable", "series", ["state", "completed_at"], "removed_at IS NULL AND promised = 0")
    op.add_column("feed", sa.Column("missed", sa.Integer(), nullable=False, server_default="0"))
    _count_missed()


def _some(name: str, table: str, columns: list[str], which: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(which), postgresql_where=sa.text(which))


def _count_missed() -> None:
    feed = sa.table("feed", sa.column("name"), sa.column("missed"))
    missed = sa.table("missed", sa.column("feed"))
    number = sa.select(sa.func.count()).where(missed.c.feed == feed.c.name).scalar_subquery()
    op.get_bind().execute(sa.update(feed).values(missed=number))
