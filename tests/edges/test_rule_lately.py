"""The series of the last days, asked while somebody types: in rows, in chunks, and in rows that replace them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from node.adapters.database import headers
from node.core.kept import Cell, Raw
from node.core.kept.growing import CELL_AT_MOST, Growing
from node.core.rules import parse_rule_set
from node.pipeline.rule_sets.lately import Lately
from tests.bench import Bench
from tests.synthetic import Grid, mr_series

RULES = parse_rule_set({"10.yaml": "name: t1\nwhen: {SeriesDescription: {contains: t1}}\nthen: [hold]\n"})


def arrive(bench: Bench, name: str, description: str) -> None:
    change = {"SeriesDescription": description, "StudyInstanceUID": f"1.2.{len(name)}"}
    bench.receive(mr_series(Grid(slices=3), name=name, change=change))
    bench.clock.advance(700)
    assert bench.judge_due() == [True]


@pytest.fixture
def lately(bench: Bench) -> Lately:
    for name, description in (("a", "t1"), ("b", "t2"), ("c", "t1 late")):
        arrive(bench, name, description)
    return Lately(bench.store.database, bench.clock)


def counted(lately: Lately) -> tuple[int, int]:
    found = lately.matching(RULES, "t1")
    return found.series, found.matched


def test_rows_that_went_into_a_chunk_count_as_before_and_none_twice(lately: Lately, bench: Bench) -> None:
    assert counted(lately) == (3, 2)
    bench.clock.advance(timedelta(days=2).total_seconds())
    assert headers.merge(bench.store.database, bench.clock() - timedelta(days=1), at_least=1) == 3
    assert counted(lately) == (3, 2)
    assert [(one.value, one.series) for one in lately.values("SeriesDescription")] == [
        ("t1", 1),
        ("t2", 1),
        ("t1 late", 1),
    ]
    arrive(bench, "d", "t1 again")
    assert counted(lately) == (4, 3)
    assert Lately(bench.store.database, bench.clock).matching(RULES, "t1").matched == 3
    bench.clock.advance(timedelta(days=6).total_seconds())
    assert counted(lately) == (1, 1), "what is older than seven days counts no more"


def test_what_is_read_beforehand_is_counted_once(lately: Lately) -> None:
    lately.begin()
    lately.begin()
    assert counted(lately) == (3, 2)
    assert counted(lately) == (3, 2)


def test_a_new_version_of_a_series_takes_the_place_of_the_old_one(lately: Lately, bench: Bench) -> None:
    assert counted(lately) == (3, 2)
    more = mr_series(Grid(slices=4), name="b", change={"SeriesDescription": "t2", "StudyInstanceUID": "1.2.1"})
    bench.receive(more[3:])
    bench.clock.advance(700)
    assert bench.judge_due() == [True]
    assert counted(lately) == (3, 2)


def test_memory_is_bounded_and_what_is_not_held_is_unknown_and_not_missing() -> None:
    growing = Growing()
    long = Cell((Raw("LO", b"x" * CELL_AT_MOST),)).to_text()
    assert growing.add({"0008103E": long})
    column = growing.column("0008103E")
    assert column is not None
    assert Cell.from_text(column.at(0) or "").cut
    assert growing.add({"00080060": '[0,["CS","MR"]]'})
    other = growing.column("00080060")
    assert other is not None
    assert (other.at(0), other.at(1)) == (None, '[0,["CS","MR"]]')
    full = Growing(text_at_most=10)
    assert full.add({"00080060": '[0,["CS","MR"]]'})
    assert not full.add({})
