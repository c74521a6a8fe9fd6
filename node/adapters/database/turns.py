"""One at a time, where a transaction reads something to write what follows from it."""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import Connection, func, select


class Turn(IntEnum):
    """What is done one at a time; any numbers that nobody else locks."""

    AUDIT = 0x6D726903  # taken last in a transaction, so that nobody waits for anybody who waits for him
    FAILURES = 0x6D726904
    FIRST_USER = 0x6D726905
    REMOVAL = 0x6D726906
    ADMINISTRATORS = 0x6D726907


def take_turn(connection: Connection, turn: Turn) -> None:
    """To the end of the transaction. SQLite has one writer at a time anyhow."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(int(turn))))
