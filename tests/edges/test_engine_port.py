"""The engine's port: one suite for every engine and every database that it may keep its work in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from node.adapters.engine import Engine
from node.adapters.engine.transact import Transact
from tests.bench import until
from tests.databases import own_database, url
from tests.processes import end, line_with, python

__all__ = ["url"]

_PROCESS = ["-m", "tests.system.engine_process"]


class Called:
    """What an engine calls: it remembers, and stays in a call until it may go on."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.most = 0
        self.go = threading.Event()
        self.go.set()
        self._in_call, self._lock = 0, threading.Lock()

    def __call__(self, _queue: str, row_id: int) -> None:
        with self._lock:
            self.ids.append(row_id)
            self._in_call += 1
            self.most = max(self.most, self._in_call)
        self.go.wait(120)
        with self._lock:
            self._in_call -= 1


@pytest.fixture
def called() -> Iterator[Called]:
    one = Called()
    yield one
    one.go.set()


@pytest.fixture
def place(url: str, tmp_path: Path) -> str:
    """A database of the test's own."""
    if url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'engine.db'}"
    return own_database(url, f"test_{abs(hash(str(tmp_path)))}")


@contextmanager
def started(place: str, carry: Callable[[str, int], None], process: str = "node", at_once: int = 2) -> Iterator[Engine]:
    engine = Transact(place, process)
    engine.start({"work": at_once, "other": at_once}, carry)
    try:
        yield engine
    finally:
        engine.stop(10)


def test_every_row_that_was_enqueued_is_called_for_and_then_no_longer_carried(place: str, called: Called) -> None:
    with started(place, called) as engine:
        for row_id in range(1, 21):
            engine.enqueue("work", row_id)
        until(lambda: len(called.ids) == 20, "20 calls")
        until(lambda: not engine.carried("work"), "the end of all calls")
    assert sorted(called.ids) == list(range(1, 21))


def test_lower_ranks_come_first_and_each_in_its_order(place: str, called: Called) -> None:
    called.go.clear()
    with started(place, called, at_once=1) as engine:
        engine.enqueue("work", 1)
        until(lambda: called.ids, "the first call")
        for row_id, rank in ((2, 2), (3, 1), (4, 0), (5, 0)):
            engine.enqueue("work", row_id, rank=rank)
        called.go.set()
        until(lambda: len(called.ids) == 5, "5 calls")
    assert called.ids == [1, 4, 5, 3, 2]


def test_no_more_calls_at_once_than_were_asked_for_and_one_queue_does_not_wait_for_another(
    place: str, called: Called
) -> None:
    called.go.clear()
    with started(place, called, at_once=2) as engine:
        for row_id in range(1, 7):
            engine.enqueue("work", row_id)
        until(lambda: len(called.ids) == 2, "as many calls as may be")
        assert engine.carried("work") == frozenset(range(1, 7))
        engine.enqueue("other", 7)
        until(lambda: 7 in called.ids, "the call of the other queue")
        assert sorted(called.ids) == [*sorted(one for one in called.ids if one != 7), 7]
        called.go.set()
        until(lambda: len(called.ids) == 7, "7 calls")
    assert called.most <= 3


def test_what_is_to_wait_is_carried_but_not_called_for(place: str, called: Called) -> None:
    with started(place, called) as engine:
        engine.enqueue("work", 1, delay_seconds=3600)
        engine.enqueue("work", 2, delay_seconds=0.1)
        until(lambda: called.ids == [2], "the one whose time has come")
        assert 1 in engine.carried("work")
        engine.withdraw(1)
        until(lambda: not engine.carried("work"), "nothing carried")


def test_what_was_withdrawn_is_not_called_for_and_its_neighbors_are(place: str, called: Called) -> None:
    called.go.clear()
    with started(place, called, at_once=1) as engine:
        for row_id in (1, 11, 111):
            engine.enqueue("work", row_id)
        until(lambda: called.ids, "the first call")
        engine.withdraw(11)
        engine.withdraw(4711)
        called.go.set()
        until(lambda: not engine.carried("work"), "the end")
    assert called.ids == [1, 111]


def test_what_ended_is_forgotten(place: str, called: Called) -> None:
    with started(place, called) as engine:
        for row_id in range(1, 6):
            engine.enqueue("work", row_id)
        until(lambda: len(called.ids) == 5 and not engine.carried("work"), "5 calls and their end")
        assert engine.forget() == 5
        assert engine.forget() == 0


def test_a_process_that_was_killed_in_a_call_is_called_again_when_it_starts(
    place: str, called: Called, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with python([*_PROCESS, place, "node", "hold", "1", "2"], log=log) as process:
        line_with(process, "called for 1", log)
        end(process)
    with started(place, called):
        until(lambda: sorted(called.ids) == [1, 2], "both calls")


def test_the_call_of_a_dead_process_is_taken_up_by_another_and_its_slot_is_free(
    place: str, called: Called, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with python([*_PROCESS, place, "dead", "hold", "1"], log=log) as process:
        line_with(process, "called for 1", log)
        end(process)
    with started(place, called, "alive", at_once=1) as engine:
        assert engine.carried("work") == {1}
        assert engine.take_up(["alive", "dead"]) == 0
        assert engine.take_up(["alive"]) == 1
        engine.enqueue("work", 2)
        until(lambda: sorted(called.ids) == [1, 2], "both calls")
        until(lambda: not engine.carried("work"), "the end")


def test_what_one_process_enqueues_another_is_called_for(place: str, called: Called, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with python([*_PROCESS, place, "other", "hold"], log=log) as process:
        line_with(process, "works", log)
        with started(place, called, "node", at_once=1) as engine:
            called.go.clear()
            engine.enqueue("work", 1)
            engine.enqueue("work", 2)
            line_with(process, "called for", log)
            until(lambda: len(called.ids) == 1, "the other call here")
            called.go.set()


def test_lost_connections_stop_nothing(place: str, called: Called) -> None:
    if place.startswith("sqlite"):
        pytest.skip("a file has no connections to lose")
    with started(place, called) as engine:
        engine.enqueue("work", 1)
        until(lambda: called.ids == [1], "the first call")
        cutter = create_engine(place, isolation_level="AUTOCOMMIT")
        with cutter.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        cutter.dispose()
        engine.enqueue("work", 2)
        until(lambda: called.ids == [1, 2], "the call after it")
