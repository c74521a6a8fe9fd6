"""The ledger is counted again and again: only lines that came since are looked at, and the figures are as of all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete

from node.adapters.database import Database
from node.adapters.database.balance import balance
from node.adapters.database.ledger import Ledger
from node.adapters.database.tables import instance, receipt
from node.core.arrival import Arrival
from node.core.ledger import Disposition
from node.pipeline.board.totals import Tally
from tests.databases import url
from tests.waiting import NOON, arrival, emptied

__all__ = ["url"]

A_DAY = 24 * 3600.0


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = emptied(Database(url))
    yield opened
    opened.close()


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def tally(database: Database, now: list[float]) -> Tally:
    return Tally(database, lambda: now[0])


def came(name: str, content: str = "a", status: int = 0) -> Arrival:
    one = arrival(name, NOON)
    disposition = Disposition.REFUSED if status else Disposition.STORED
    line = replace(one.receipt, sha256=content * 64, path=f"{name}-{content}", status=status, disposition=disposition)
    return replace(one, receipt=line)


def record(database: Database, chain: str, *arrivals: Arrival) -> None:
    ledger = Ledger(database, chain, timedelta(seconds=1))
    ledger.record(arrivals)
    ledger.close()


def lose(database: Database, name: str) -> None:
    """Its line and its row, as if it never came."""
    with database.transaction() as connection:
        for table in (receipt, instance):
            connection.execute(delete(table).where(table.c.series_instance_uid == name))


def test_what_comes_is_counted_with_what_came_whatever_becomes_of_it(database: Database, tally: Tally) -> None:
    assert tally().balance.received == 0
    for chain, arrivals, received in (
        ("one", [came("1"), came("2")], 2),
        ("two", [came("1"), came("1", "b"), came("3", status=0xA700)], 4),
        ("one", [], 4),
        ("one", [came("4"), came("2"), came("2")], 7),
    ):
        if arrivals:
            record(database, chain, *arrivals)
        assert tally().balance == balance(database)
        assert (tally().balance.received, tally().balance.residue) == (received, 0)


def test_lines_that_were_counted_are_looked_at_again_once_a_day(
    database: Database, tally: Tally, now: list[float]
) -> None:
    record(database, "one", came("1"), came("2"), came("2"))
    assert tally().balance.filtered == 1
    with database.transaction() as connection:
        connection.execute(delete(receipt).where(receipt.c.disposition == Disposition.DUPLICATE))
    now[0] += A_DAY - 1
    assert tally().balance.filtered == 1
    now[0] += 1
    assert (tally().balance.filtered, tally().balance.residue) == (0, 0)


def test_a_residue_is_told_when_all_lines_say_it(database: Database, tally: Tally) -> None:
    record(database, "one", came("1"), came("2"), came("3"))
    tally()
    lose(database, "3")
    assert (tally().balance.received, tally().balance.residue) == (2, 0)
    with database.transaction() as connection:
        connection.execute(delete(instance).where(instance.c.series_instance_uid == "2"))
    assert (tally().balance.received, tally().balance.residue) == (2, 1)
