"""Which rule matched how often, and when last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select

from node.adapters.database.engine import Database
from node.adapters.database.rule_tables import rule_hit

_DAY, _MONTH = timedelta(days=1), timedelta(days=30)


@dataclass(frozen=True)
class Hits:
    """How often a rule matched a series that was decided on."""

    rule: str
    day: int  # in the last 24 hours
    month: int  # in the last 30 days
    last_at: datetime


def hits(database: Database, now: datetime) -> list[Hits]:
    """Of every rule that matched in the last 30 days, by name."""
    lately = func.sum(case((rule_hit.c.at >= now - _DAY, 1), else_=0))
    wanted = (
        select(rule_hit.c.rule, lately.label("day"), func.count().label("month"), func.max(rule_hit.c.at).label("last"))
        .where(rule_hit.c.at >= now - _MONTH)
        .group_by(rule_hit.c.rule)
        .order_by(rule_hit.c.rule)
    )
    with database.reading() as connection:
        return [Hits(row.rule, int(row.day), int(row.month), row.last) for row in connection.execute(wanted)]
