"""Admission, MPPS, counts of protocols, storage commitment."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_UID = sa.String(length=128)
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "admission",
        sa.Column("calling_ae", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("calling_ae", "host", name=op.f("pk_admission")),
    )
    op.create_table(
        "mpps",
        sa.Column("sop_instance_uid", _UID, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("calling_ae", sa.String(length=64), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("changed_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("sop_instance_uid", name=op.f("pk_mpps")),
    )
    op.create_table(
        "performed_series",
        sa.Column("mpps", _UID, nullable=False),
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.Column("sop_instance_uids", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["mpps"], ["mpps.sop_instance_uid"], name=op.f("fk_performed_series_mpps_mpps")),
        sa.PrimaryKeyConstraint("mpps", "series_instance_uid", name=op.f("pk_performed_series")),
    )
    op.create_index(op.f("ix_performed_series_series_instance_uid"), "performed_series", ["series_instance_uid"])
    op.create_table(
        "protocol_count",
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.Column("protocol", sa.String(length=64), nullable=False),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("series_instance_uid", name=op.f("pk_protocol_count")),
    )
    op.create_index(op.f("ix_protocol_count_protocol_at"), "protocol_count", ["protocol", "at"])
    op.create_table(
        "commitment",
        sa.Column("calling_ae", sa.String(length=64), nullable=False),
        sa.Column("transaction_uid", _UID, nullable=False),
        sa.Column("referenced", sa.JSON(), nullable=False),
        sa.Column("requested_at", _MOMENT, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", _MOMENT, nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("calling_ae", "transaction_uid", name=op.f("pk_commitment")),
    )
    op.create_index(op.f("ix_commitment_state_next_try_at"), "commitment", ["state", "next_try_at"])
