"""Processes wake each other through the database, also after it was away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from node.adapters.database import Database
from node.adapters.database.bell import Bell
from tests.bench import until
from tests.postgresql import Server, server
from tests.processes import PATIENCE_S

Heard = SimpleQueue[str]


@contextmanager
def bell(database: Server, name: str) -> Iterator[tuple[Bell, Heard]]:
    heard, opened = Heard(), Database(database.url)
    hung = Bell(opened, name, heard.put)
    hung.start()
    assert heard.get(timeout=PATIENCE_S) == ""  # from now on it listens
    yield hung, heard
    hung.stop()
    opened.close()


def test_what_one_rings_for_the_others_hear_once() -> None:
    with server() as database, bell(database, "one") as (one, at_one), bell(database, "two") as (two, at_two):
        for _ in range(20):
            one.ring("series")
        assert at_two.get(timeout=PATIENCE_S) == "series"
        two.ring("job")
        assert at_one.get(timeout=PATIENCE_S) == "job"  # and not what it rang for itself
        assert at_two.qsize() < 20


def test_after_the_database_was_away_it_is_heard_again() -> None:
    with server() as database, bell(database, "one") as (one, _), bell(database, "two") as (_, at_two):
        database.restart()
        assert at_two.get(timeout=PATIENCE_S) == ""  # something may have been missed

        def heard() -> bool:
            one.ring("series")
            return not at_two.empty() and at_two.get() == "series"

        until(heard, "a word", PATIENCE_S)
