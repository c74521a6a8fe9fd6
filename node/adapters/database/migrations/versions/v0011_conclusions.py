"""What models found on series, for the rules; what of a volume was shown to a model."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_UID = sa.String(length=128)


def upgrade() -> None:
    op.create_table(
        "conclusion",
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_instance_uid"],
            ["series.series_instance_uid"],
            name=op.f("fk_conclusion_series_instance_uid_series"),
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_conclusion_job_id_job")),
        sa.PrimaryKeyConstraint("series_instance_uid", "version", "model", "name", name=op.f("pk_conclusion")),
    )
    op.create_table(
        "shown",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("slices", sa.Integer(), nullable=False),
        sa.Column("blank", sa.Integer(), nullable=False),
        sa.Column("encoder", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_shown_job_id_job")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_shown")),
    )
