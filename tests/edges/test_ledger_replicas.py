"""Two processes that receive the same study at once: each line is written, whichever of them has to wait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from node.adapters.database import Database
from node.adapters.database.balance import balance
from node.adapters.database.ledger import Ledger, broken_chains
from node.adapters.database.tables import instance
from node.core.arrival import Arrival
from tests.postgresql import postgresql
from tests.waiting import NOON, arrival, emptied

ROUNDS = 40


def slice_of(series: str, number: int) -> Arrival:
    one = arrival(series, NOON)
    return replace(one, receipt=replace(one.receipt, sop_instance_uid=f"{series}.{number}", path=f"{series}-{number}"))


def test_two_that_write_the_same_two_series_in_opposite_order_both_get_on() -> None:
    with postgresql() as url:
        emptied(Database(url)).close()

        def write(chain: str, order: str) -> int:
            database = Database(url)
            ledger = Ledger(database, chain, timedelta(seconds=1))
            written = 0
            for number in range(ROUNDS):
                batch = [slice_of(series, 2 * number + (chain == "two")) for series in order]
                written += len(ledger.record(batch))
            ledger.close()
            database.close()
            return written

        with ThreadPoolExecutor(2) as replicas:
            assert list(replicas.map(write, ("one", "two"), ("ab", "ba"))) == [2 * ROUNDS, 2 * ROUNDS]
        database = Database(url)
        with database.reading() as connection:
            assert connection.scalar(select(func.count()).select_from(instance)) == 4 * ROUNDS
        assert broken_chains(database) == {}
        assert balance(database).residue == 0
        database.close()
