"""A job is found by the one that it replaces."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    there = sa.text("supersedes IS NOT NULL")
    op.create_index(op.f("ix_job_supersedes"), "job", ["supersedes"], sqlite_where=there, postgresql_where=there)
