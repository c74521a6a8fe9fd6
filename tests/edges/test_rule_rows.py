"""Hits, simulations and shadows in the database, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from node.adapters.database import Database, headers, shadows, simulations
from node.adapters.database import rules as rows
from node.adapters.database.headers import KeptHeader
from node.adapters.database.hits import Hits, hits, sweep
from node.errors import NoSuch
from tests.databases import url
from tests.waiting import NOON, emptied

__all__ = ["url"]
DAY = timedelta(days=1)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = emptied(Database(url))
    rows.keep(opened, "v1", {"10.yaml": "x"}, author="anna", reason="first", now=NOON)
    yield opened
    opened.close()


def matched(database: Database, name: str, *rules: str, days_ago: int = 0, version: int = 1) -> None:
    headers.keep(database, KeptHeader(name, "study", version, NOON - days_ago * DAY, {}), rules)


def test_a_rule_is_counted_once_for_each_series_it_matched(database: Database) -> None:
    matched(database, "a", "brain", "tags", "brain")
    matched(database, "a", "brain", "tags")  # decided again
    matched(database, "b", "brain", days_ago=3)
    matched(database, "c", "knee", days_ago=40)
    matched(database, "d", "brain", days_ago=9)
    long_ago = NOON - 40 * DAY
    assert hits(database, NOON) == [
        Hits("brain", 1, 2, 3, NOON), Hits("knee", 0, 0, 0, long_ago), Hits("tags", 1, 1, 1, NOON)
    ]  # fmt: skip


def test_a_series_that_is_decided_again_and_matches_no_more_is_not_counted_any_more(database: Database) -> None:
    matched(database, "a", "brain")
    matched(database, "a", "knee")
    assert [(one.rule, one.day) for one in hits(database, NOON)] == [("brain", 0), ("knee", 1)]


def test_hours_nobody_counts_are_forgotten_but_the_last_of_each_rule(database: Database) -> None:
    matched(database, "a", "brain", days_ago=50)
    matched(database, "b", "brain", days_ago=40)
    matched(database, "c", "brain")
    matched(database, "d", "knee", days_ago=50)
    assert sweep(database, NOON) == 2
    assert [(one.rule, one.last_at) for one in hits(database, NOON)] == [("brain", NOON), ("knee", NOON - 50 * DAY)]


def test_a_simulation_is_found_while_it_runs_and_when_it_is_done(database: Database) -> None:
    number = simulations.begin(database, "v1", "v0", 7, author="anna", process="p", now=NOON)
    simulations.note_progress(database, number, 5, 9)
    assert (simulations.get(database, number).done, simulations.last_of(database, "v1", "v0")) == (5, None)
    simulations.finish(database, number, simulations.DONE, {"sentence": "−16 held"})
    found = simulations.last_of(database, "v1", "v0")
    assert found is not None
    assert found.result == {"sentence": "−16 held"}
    with pytest.raises(NoSuch):
        simulations.get(database, number + 1)


def test_the_newest_shadow_counts_and_each_series_once(database: Database) -> None:
    first = shadows.begin(database, "v1", "anna", NOON)
    for differs in (True, False):
        shadows.note(
            database, first, "a", 1, rule_set_version="v0", decided={"does": "held"}, would={"does": "brain"},
            differs=differs, now=NOON,
        )  # fmt: skip
    assert shadows.counted(database, first) == (1, 0)
    assert shadows.differing(database, first) == []
    shadows.begin(database, "", "anna", NOON)
    assert shadows.current(database) is None
    assert shadows.sweep(database, NOON + DAY) == 1


def test_a_series_whose_name_no_database_takes_is_not_there(database: Database) -> None:
    assert headers.of_series(database, "1.2\x003") is None
