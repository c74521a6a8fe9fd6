"""The audit trail is asked for what one person did of one kind, among a million lines."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_index(op.f("ix_audit_actor_what_number"), "audit", ["actor", "what", "number"])
