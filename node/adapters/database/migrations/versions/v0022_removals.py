"""Removals in their order, and by whom an instance was removed."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

_LATELY = 1000  # series that may be gone without the index having seen it yet


def upgrade() -> None:
    op.create_table(
        "removal",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=128), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_removal")),
    )
    op.add_column("instance", sa.Column("erased_by", sa.Text(), nullable=True))
    _begin()


def _begin() -> None:
    series = sa.table("series", sa.column("series_instance_uid"), sa.column("removed_at"))
    removal = sa.table("removal", *map(sa.column, ("at", "actor", "series_instance_uid", "sop_instance_uid")))
    gone = sa.select(series.c.removed_at, sa.literal(""), series.c.series_instance_uid, sa.literal(""))
    lately = gone.where(series.c.removed_at.is_not(None)).order_by(series.c.removed_at.desc()).limit(_LATELY)
    op.get_bind().execute(sa.insert(removal).from_select(list(removal.c.keys()), lately))
