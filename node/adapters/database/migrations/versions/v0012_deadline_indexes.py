"""Indexes of deadlines hold only jobs that have one: the others cost nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_BY_DEADLINE = ["state", "lane", "rank", "deadline_at", "next_try_at", "id"]
_SOON = ["state", "overdue", "deadline_at"]


def upgrade() -> None:
    has_one = sa.text("deadline_at IS NOT NULL")
    for name, columns in (("_".join(_BY_DEADLINE), _BY_DEADLINE), ("_".join(_SOON), _SOON)):
        index = op.f(f"ix_job_{name}")
        op.drop_index(index, table_name="job")
        op.create_index(index, "job", columns, sqlite_where=has_one, postgresql_where=has_one)
