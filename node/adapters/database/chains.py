"""The chains of the ledger."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from node.adapters.database.tables import receipt


def names(connection: Connection) -> list[str]:
    """One look into the key for each; DISTINCT would go over all lines."""
    found: list[str] = []
    while True:
        after = found[-1] if found else ""
        name = connection.scalar(select(func.min(receipt.c.chain)).where(receipt.c.chain > after))
        if name is None:
            return found
        found.append(name)
