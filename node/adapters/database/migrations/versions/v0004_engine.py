"""Who works on a job, in which order jobs come, which processes live, and what is paused."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_CLAIM = ["state", "lane", "rank", "next_try_at", "id"]


def upgrade() -> None:
    op.add_column("job", sa.Column("lane", sa.Text(), nullable=False, server_default=""))
    op.add_column("job", sa.Column("rank", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("job", sa.Column("owner", sa.String(length=64), nullable=True))
    op.add_column("job", sa.Column("claim", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("job", sa.Column("cut_off", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE job SET lane = 'make ' || model, next_try_at = COALESCE(next_try_at, created_at), "
        "rank = CASE priority WHEN 'stat' THEN 0 WHEN 'low' THEN 2 ELSE 1 END"
    )
    op.drop_index(op.f("ix_job_state_next_try_at"), table_name="job")
    op.create_index(op.f("ix_job_state_lane_rank_next_try_at_id"), "job", _CLAIM)
    op.create_table(
        "process",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("beat", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process")),
    )
    op.create_table(
        "pause",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_pause")),
    )
