"""How much came, from whom and when: read from the ledger in its order, minute by minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, String, case, cast, func, select

from node.adapters.database.engine import Database
from node.adapters.database.tables import receipt
from node.core.status import SUCCESS


@dataclass(frozen=True)
class Minute:
    """What one sender sent in one minute."""

    begin: datetime
    channel: str
    calling_ae: str
    taken: int  # instances
    refused: int
    last_at: datetime


def newest_number(database: Database, chain: str) -> int:
    """The number of the chain's last line; 0 when it has none."""
    with database.reading() as connection:
        return connection.scalar(select(func.max(receipt.c.number)).where(receipt.c.chain == chain)) or 0


def number_before(database: Database, chain: str, moment: datetime) -> int:
    """The last line that was written before a moment; 0 when there is none.

    Lines of a chain are in the order of their times, so few are looked at, however many there are.
    """
    with database.reading() as connection:
        low, high = 0, connection.scalar(select(func.max(receipt.c.number)).where(receipt.c.chain == chain)) or 0
        while low < high:
            middle = (low + high + 1) // 2
            if _at(connection, chain, middle) < moment:
                low = middle
            else:
                high = middle - 1
    return low


def minutes(database: Database, chain: str, after: int, last: int) -> Sequence[Minute]:
    """What came with the lines behind `after`, up to `last`."""
    with database.reading() as connection:
        minute = _minute(connection)
        taken = receipt.c.status == SUCCESS
        wanted = (
            select(
                minute.label("minute"),
                receipt.c.channel,
                receipt.c.calling_ae,
                func.sum(case((taken, 1), else_=0)).label("taken"),
                func.sum(case((taken, 0), else_=1)).label("refused"),
                func.max(receipt.c.at).label("last_at"),
            )
            .where(receipt.c.chain == chain, receipt.c.number > after, receipt.c.number <= last)
            .group_by(minute, receipt.c.channel, receipt.c.calling_ae)
        )
        return [
            Minute(_read(row.minute), row.channel, row.calling_ae, int(row.taken), int(row.refused), row.last_at)
            for row in connection.execute(wanted)
        ]


def _at(connection: Connection, chain: str, number: int) -> datetime:
    wanted = select(receipt.c.at).where(receipt.c.chain == chain, receipt.c.number <= number)
    at: datetime | None = connection.scalar(wanted.order_by(receipt.c.number.desc()).limit(1))
    return at or datetime.min.replace(tzinfo=UTC)


def _minute(connection: Connection) -> ColumnElement[str]:
    """As text: 2026-01-05 12:34."""
    if connection.dialect.name == "sqlite":
        return func.substr(cast(receipt.c.at, String), 1, 16)
    return func.to_char(func.timezone("UTC", receipt.c.at), "YYYY-MM-DD HH24:MI")


def _read(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
