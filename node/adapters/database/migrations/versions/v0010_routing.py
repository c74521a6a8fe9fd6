"""What rules do beside jobs: tags, notices, series of one study that wait for each other, jobs on several series."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_UID = sa.String(length=128)
_MOMENT = sa.DateTime(timezone=True)
_SERIES = ["series.series_instance_uid"]


def upgrade() -> None:
    op.create_table(
        "series_tag",
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_instance_uid"], _SERIES, name=op.f("fk_series_tag_series_instance_uid_series")
        ),
        sa.PrimaryKeyConstraint("series_instance_uid", "version", "tag", name=op.f("pk_series_tag")),
    )
    op.create_index(op.f("ix_series_tag_tag"), "series_tag", ["tag"])
    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sent_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["series_instance_uid"], _SERIES, name=op.f("fk_notice_series_instance_uid_series")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op.create_index(op.f("ix_notice_series_instance_uid"), "notice", ["series_instance_uid"])
    op.create_index(op.f("ix_notice_sent_at"), "notice", ["sent_at"])
    op.create_table(
        "ready",
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["series_instance_uid"], _SERIES, name=op.f("fk_ready_series_instance_uid_series")),
        sa.PrimaryKeyConstraint("series_instance_uid", name=op.f("pk_ready")),
    )
    op.create_table(
        "job_series",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("need", sa.String(length=32), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_series_job_id_job")),
        sa.PrimaryKeyConstraint("job_id", "need", name=op.f("pk_job_series")),
    )
