"""Kept headers, and rule sets with a history: publications, proposals, simulations, shadows."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_UID = sa.String(length=128)
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "header",
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.Column("study_instance_uid", _UID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("series_instance_uid", name=op.f("pk_header")),
    )
    op.create_index(op.f("ix_header_at"), "header", ["at"])
    op.create_index(op.f("ix_header_study_instance_uid"), "header", ["study_instance_uid"])
    op.create_table(
        "header_chunk",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("oldest_at", _MOMENT, nullable=False),
        sa.Column("newest_at", _MOMENT, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("series", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_header_chunk")),
    )
    op.create_index(op.f("ix_header_chunk_newest_at"), "header_chunk", ["newest_at"])
    op.create_table(
        "header_column",
        sa.Column("chunk_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["chunk_id"], ["header_chunk.id"], name=op.f("fk_header_column_chunk_id_header_chunk")),
        sa.PrimaryKeyConstraint("chunk_id", "key", name=op.f("pk_header_column")),
    )
    op.create_table(
        "rule_hit",
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("series_instance_uid", "version", "rule", name=op.f("pk_rule_hit")),
    )
    op.create_index(op.f("ix_rule_hit_rule_at"), "rule_hit", ["rule", "at"])
    op.create_table(
        "publication",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("approver", sa.Text(), nullable=False),
        sa.Column("simulation", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["version"], ["rule_set.version"], name=op.f("fk_publication_version_rule_set")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_publication")),
    )
    op.create_table(
        "proposal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", _MOMENT, nullable=True),
        sa.Column("simulation", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["version"], ["rule_set.version"], name=op.f("fk_proposal_version_rule_set")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
    )
    op.create_table(
        "simulation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("base", sa.String(length=64), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("process", sa.String(length=64), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["version"], ["rule_set.version"], name=op.f("fk_simulation_version_rule_set")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simulation")),
    )
    op.create_table(
        "shadow",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_shadow")),
    )
    op.create_table(
        "shadow_decision",
        sa.Column("shadow", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("rule_set_version", sa.String(length=64), nullable=False),
        sa.Column("differs", sa.Integer(), nullable=False),
        sa.Column("decided", sa.JSON(), nullable=False),
        sa.Column("would", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["shadow"], ["shadow.number"], name=op.f("fk_shadow_decision_shadow_shadow")),
        sa.PrimaryKeyConstraint("shadow", "series_instance_uid", "version", name=op.f("pk_shadow_decision")),
    )
