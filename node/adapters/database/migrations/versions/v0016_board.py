"""The board: samples of the disk, what processes see of their models, their roles; whose PatientID it is."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "disk_sample",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("room", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disk_sample")),
    )
    op.create_index(op.f("ix_disk_sample_at"), "disk_sample", ["at"])
    op.create_table(
        "model_report",
        sa.Column("process", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("canary_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.Column("alone", sa.Integer(), nullable=False),
        sa.Column("in_flight", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("slices", sa.BigInteger(), nullable=False),
        sa.Column("queue_seconds", sa.Float(), nullable=False),
        sa.Column("compute_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("process", "model", name=op.f("pk_model_report")),
    )
    op.add_column("process", sa.Column("role", sa.String(length=16), nullable=False, server_default=""))
    op.add_column("series", sa.Column("issuer_of_patient_id", sa.Text(), nullable=False, server_default=""))
    op.create_index(op.f("ix_job_model_id"), "job", ["model", "id"])
