"""Breakers, what destinations are able to, and storage commitment that the node asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_UID = sa.String(length=128)
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "breaker",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", _MOMENT, nullable=True),
        sa.Column("next_try_at", _MOMENT, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name=op.f("pk_breaker")),
    )
    op.create_table(
        "capability",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name=op.f("pk_capability")),
    )
    op.create_table(
        "promise",
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("transaction_uid", _UID, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", _UID, nullable=False),
        sa.Column("asked_at", _MOMENT, nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_promise_delivery_id_delivery")),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_promise")),
    )
    op.create_index(op.f("ix_promise_transaction_uid"), "promise", ["transaction_uid"])
