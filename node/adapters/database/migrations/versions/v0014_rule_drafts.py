"""Drafts of rules, hits counted hour by hour, and when the series of kept headers arrived."""

from collections import Counter
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("header", sa.Column("arrived_at", _MOMENT))
    op.create_table(
        "rule_tally",
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("last_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("rule", "hour", name=op.f("pk_rule_tally")),
    )
    op.create_table(
        "rule_draft",
        sa.Column("author", sa.String(length=256), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("author", name=op.f("pk_rule_draft")),
    )
    _count()


def _count() -> None:
    """What was counted one by one until now."""
    hit = sa.table("rule_hit", sa.column("rule", sa.String()), sa.column("at", _MOMENT))
    hits: Counter[tuple[str, int]] = Counter()
    last: dict[tuple[str, int], datetime] = {}
    for rule, at in op.get_bind().execute(sa.select(hit.c.rule, hit.c.at)):
        key = rule, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) // 3600
        hits[key] += 1
        last[key] = max(last.get(key, at), at)
    rows = [
        {"rule": rule, "hour": hour, "hits": number, "last_at": last[rule, hour]}
        for (rule, hour), number in hits.items()
    ]
    if rows:
        tally = sa.table(
            "rule_tally",
            sa.column("rule", sa.String()), sa.column("hour", sa.Integer()), sa.column("hits", sa.Integer()),
            sa.column("last_at", _MOMENT),
        )  # fmt: skip
        op.bulk_insert(tally, rows)
