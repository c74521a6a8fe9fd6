"""When a job's results are wanted."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_BY_DEADLINE = ["state", "lane", "rank", "deadline_at", "next_try_at", "id"]


def upgrade() -> None:
    op.add_column("job", sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("job", sa.Column("overdue", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(op.f("ix_job_state_lane_rank_deadline_at_next_try_at_id"), "job", _BY_DEADLINE)
    op.create_index(op.f("ix_job_state_overdue_deadline_at"), "job", ["state", "overdue", "deadline_at"])
