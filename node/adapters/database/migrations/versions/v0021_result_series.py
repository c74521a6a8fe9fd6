"""A result is found by the UID of its series."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_index(op.f("ix_result_series_instance_uid"), "result", ["series_instance_uid"])
