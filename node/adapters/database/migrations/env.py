"""Alembic's entry: runs the versions on the connection that node.adapters.database.engine hands over."""

from alembic import context

from node.adapters.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
