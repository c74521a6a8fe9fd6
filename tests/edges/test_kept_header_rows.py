"""Kept headers in the database, on SQLite and PostgreSQL: kept once, gathered in chunks, forgotten in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from node.adapters.database import Database, headers
from node.adapters.database.headers import KeptHeader
from tests.bench import LONG_AFTER, Bench
from tests.databases import url
from tests.synthetic import Grid, mr_series
from tests.waiting import NOON, emptied

__all__ = ["url"]
DAY = timedelta(days=1)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = emptied(Database(url))
    yield opened
    opened.close()


def kept(name: str, at: datetime = NOON, description: str = "[0,0]", version: int = 1) -> KeptHeader:
    cells = {"series.sender": f'"{name}"', "0008103E": description}
    return KeptHeader(name, f"study of {name}", version, at, cells, at)


def seen(database: Database, since: datetime | None = None) -> dict[str, str | None]:
    return {
        uid: batch.columns["0008103E"].at(place) if "0008103E" in batch.columns else None
        for batch in headers.batches(database, ["0008103E"], since)
        for place, uid in enumerate(batch.whose.uids)
    }


def test_a_series_is_found_again_before_and_after_it_was_gathered(database: Database) -> None:
    for number in range(3):
        headers.keep(database, kept(f"s{number}", NOON + number * DAY, f"[0,{number}]"), [])
    before = [headers.of_series(database, f"s{number}") for number in range(3)]
    assert headers.merge(database, NOON + 2 * DAY, at_least=2) == 2
    assert [headers.of_series(database, f"s{number}") for number in range(3)] == before
    assert before[1] == kept("s1", NOON + DAY, "[0,1]")
    assert seen(database) == {"s0": "[0,0]", "s1": "[0,1]", "s2": "[0,2]"}
    assert headers.number(database) == 3


def test_rows_are_gathered_when_there_are_enough_and_not_before(database: Database) -> None:
    headers.keep(database, kept("s"), [])
    assert headers.merge(database, NOON + DAY) == 0
    assert headers.merge(database, NOON - DAY, at_least=1) == 0


def test_a_later_version_of_a_series_takes_the_place_of_the_one_in_a_chunk(database: Database) -> None:
    headers.keep(database, kept("s", NOON, "[0,1]"), [])
    headers.keep(database, kept("t", NOON, "[0,1]"), [])
    headers.merge(database, NOON + DAY, at_least=1)
    headers.keep(database, kept("s", NOON + DAY, "[0,2]", 2), [])
    assert seen(database) == {"s": "[0,2]", "t": "[0,1]"}


def test_what_is_too_old_is_forgotten_in_rows_and_in_chunks(database: Database) -> None:
    for number in range(6):
        headers.keep(database, kept(f"s{number}", NOON + number * DAY, f"[0,{number}]"), [])
    headers.merge(database, NOON + 4 * DAY, at_least=1)
    assert headers.sweep(database, NOON + 3 * DAY) == 3
    assert seen(database) == {"s3": "[0,3]", "s4": "[0,4]", "s5": "[0,5]"}
    assert headers.of_series(database, "s0") is None
    assert headers.sweep(database, NOON + 9 * DAY) == 3
    assert seen(database) == {}


def test_only_the_days_that_are_asked_for_are_read(database: Database) -> None:
    for number in range(4):
        headers.keep(database, kept(f"s{number}", NOON + number * DAY, f"[0,{number}]"), [])
    headers.merge(database, NOON + 2 * DAY, at_least=1)
    assert seen(database, NOON + DAY) == {"s1": "[0,1]", "s2": "[0,2]", "s3": "[0,3]"}


def test_completion_keeps_what_the_rules_saw(bench: Bench) -> None:
    bench.keep_headers_days = 30
    series = mr_series(Grid(slices=10))
    bench.complete(series)
    found = headers.of_series(bench.store.database, str(series[0].SeriesInstanceUID))
    assert found is not None
    assert found.cells["series.instances"] == "10"
    assert found.cells["00080060"] == '[0,["CS","MR"]]'


def test_nothing_is_kept_when_nobody_wants_it(bench: Bench) -> None:
    bench.keep_headers_days = 0
    series = mr_series(Grid(slices=3))
    bench.receive(series)
    bench.clock.advance(LONG_AFTER)
    assert bench.judge_due() == [True]
    assert headers.of_series(bench.store.database, str(series[0].SeriesInstanceUID)) is None
