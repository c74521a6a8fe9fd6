"""Every table, query and transaction of the node."""

from node.adapters.database.engine import Database

__all__ = ["Database"]
