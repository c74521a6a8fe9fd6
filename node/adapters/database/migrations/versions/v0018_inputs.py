"""How many instances of each of its series a job read."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("job_series", sa.Column("used", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_job_series_series_instance_uid"), "job_series", ["series_instance_uid"])
