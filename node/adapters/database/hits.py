"""Which rule matched how often, and when last.

Counted hour by hour as series are decided on: a page of two hundred rules reads a few thousand small rows, however
many series there were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Insert, case, delete, func, select
from sqlalchemy.dialects.postgresql import insert as insert_on_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_on_sqlite

from node.adapters.database.engine import Database
from node.adapters.database.rule_tables import rule_tally

_DAY, _WEEK, _MONTH = 24, 7 * 24, 30 * 24  # hours

Counted = tuple[str, datetime, int]  # rule, when, one more or one less


@dataclass(frozen=True)
class Hits:
    """How often a rule matched a series that was decided on. To the hour: the present one, and so many before."""

    rule: str
    day: int  # in the last 24 hours
    week: int  # in the last 7 days
    month: int  # in the last 30 days
    last_at: datetime


def hits(database: Database, now: datetime) -> list[Hits]:
    """Of every rule that ever matched, by name."""
    this = hour_of(now)
    counted = [
        func.coalesce(func.sum(case((rule_tally.c.hour > this - hours, rule_tally.c.hits), else_=0)), 0)
        for hours in (_DAY, _WEEK, _MONTH)
    ]
    wanted = (
        select(rule_tally.c.rule, *counted, func.max(rule_tally.c.last_at))
        .group_by(rule_tally.c.rule)
        .order_by(rule_tally.c.rule)
    )
    with database.reading() as connection:
        rows = connection.execute(wanted).all()
    return [Hits(row[0], int(row[1]), int(row[2]), int(row[3]), row[4]) for row in rows]


def tally(connection: Connection, counted: Sequence[Counted]) -> None:
    """Count hits, within the transaction that writes them. Rules in their order: two at once take the same locks."""
    more: Counter[tuple[str, int]] = Counter()
    last: dict[tuple[str, int], datetime] = {}
    for rule, at, number in counted:
        key = rule, hour_of(at)
        more[key] += number
        last[key] = max(last.get(key, at), at)
    for (rule, hour), number in sorted(more.items()):
        if number:
            connection.execute(_counting(connection, rule, hour, number, last[rule, hour]))


def sweep(connection_of: Database, now: datetime) -> int:
    """Forget hours that nobody counts any more, but the last in which each rule matched; how many."""
    later = rule_tally.alias("later")
    newer = select(later.c.hour).where(later.c.rule == rule_tally.c.rule, later.c.hour > rule_tally.c.hour)
    old = rule_tally.c.hour <= hour_of(now) - _MONTH
    with connection_of.transaction() as connection:
        return connection.execute(delete(rule_tally).where(old, newer.exists())).rowcount


def hour_of(at: datetime) -> int:
    """Hours since 1970."""
    return int(at.astimezone(UTC).timestamp()) // 3600


def _counting(connection: Connection, rule: str, hour: int, number: int, last: datetime) -> Insert:
    row = {"rule": rule, "hour": hour, "hits": number, "last_at": last}
    added = {"hits": rule_tally.c.hits + number}
    if number > 0:
        added["last_at"] = case((rule_tally.c.last_at > last, rule_tally.c.last_at), else_=last)
    key = [rule_tally.c.rule, rule_tally.c.hour]
    if connection.dialect.name == "postgresql":
        return insert_on_postgresql(rule_tally).values(row).on_conflict_do_update(index_elements=key, set_=added)
    return insert_on_sqlite(rule_tally).values(row).on_conflict_do_update(index_elements=key, set_=added)
