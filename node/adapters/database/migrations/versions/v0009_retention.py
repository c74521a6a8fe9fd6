"""Bytes that are gone while their rows stay."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_AT_ONCE = 500


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("instance", sa.Column("removed_at", moment, nullable=True))
    op.add_column("result", sa.Column("removed_at", moment, nullable=True))
    op.add_column("series", sa.Column("removed_at", moment, nullable=True))
    op.add_column("series", sa.Column("promised", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(op.f("ix_instance_path"), "instance", ["path"])
    op.create_index(op.f("ix_series_removed_at_completed_at"), "series", ["removed_at", "completed_at"])
    for disposition in ("conflict", "refused"):
        mine = sa.text(f"disposition = '{disposition}'")
        name = f"ix_receipt_path_{disposition}"
        op.create_index(op.f(name), "receipt", ["path"], sqlite_where=mine, postgresql_where=mine)
    _keep_promises()


def _keep_promises() -> None:
    """Whoever was promised storage may have no copy any more."""
    commitment = sa.table("commitment", sa.column("referenced", sa.JSON))
    instance = sa.table("instance", sa.column("sop_instance_uid"), sa.column("series_instance_uid"))
    series = sa.table("series", sa.column("series_instance_uid"), sa.column("promised"))
    connection = op.get_bind()
    for referenced in connection.scalars(sa.select(commitment.c.referenced)).all():
        uids = [uid for _, uid in referenced]
        for start in range(0, len(uids), _AT_ONCE):
            some = instance.c.sop_instance_uid.in_(uids[start : start + _AT_ONCE])
            mine = series.c.series_instance_uid.in_(sa.select(instance.c.series_instance_uid).where(some))
            connection.execute(sa.update(series).where(mine).values(promised=1))
