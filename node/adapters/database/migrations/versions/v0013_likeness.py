"""How unlike the usual ones each job's volume was; before, only the newest job's of a series was known."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "likeness",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("percentile", sa.Float(), nullable=False),
        sa.Column("calibration", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_likeness_job_id_job")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_likeness")),
    )
    op.execute(
        "INSERT INTO likeness (job_id, score, percentile, calibration, at) "
        "SELECT job_id, probability, CAST(value AS FLOAT), '', at FROM conclusion WHERE name = 'ood'"
    )
    op.execute("DELETE FROM conclusion WHERE name = 'ood'")
