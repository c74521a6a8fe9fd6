"""The worker's loop: what each way an attempt can end makes of the job, and that nothing ends the loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from node.core.jobs import rank
from node.core.states import JobState
from node.core.status import Meaning
from node.errors import ModelFailed, ModelUnavailable, NotProcessable
from node.worker import Clerk, Worker
from tests.bench import LONG_AFTER, Bench, until
from tests.synthetic import Grid, mr_series

PATIENCE_S = 120.0


@contextmanager
def working(bench: Bench) -> Iterator[Worker]:
    worker = Worker("worker", bench.store.database, bench.work, bench.clock)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(PATIENCE_S)


def becomes(bench: Bench, state: JobState, job_id: int = 1) -> None:
    until(lambda: bench.row(job_id).state == state, f"job {job_id} {state}", PATIENCE_S)


def waits(bench: Bench) -> bool:
    due = bench.row(1).next_try_at
    return due is not None and bool(due > bench.clock())


def test_a_job_is_completed(bench: Bench) -> None:
    bench.complete(mr_series(Grid(slices=10)))
    with working(bench):
        becomes(bench, JobState.COMPLETED)
    assert bench.row(1).reason == "delivered to out"
    assert bench.row(1).finished_at == bench.clock()


def test_what_may_succeed_later_is_tried_again_when_its_time_has_come(bench: Bench) -> None:
    bench.models.raises = [ModelUnavailable("Triton does not answer")]
    bench.complete(mr_series(Grid(slices=10)))
    with working(bench) as worker:
        until(lambda: waits(bench), "a time for the next attempt", PATIENCE_S)
        waiting = bench.row(1)
        assert (waiting.state, waiting.reason) == (JobState.SCHEDULED, "Triton does not answer")
        assert waiting.next_try_at > bench.clock()
        bench.clock.advance(3600)
        worker.wake()
        becomes(bench, JobState.COMPLETED)
    assert bench.row(1).attempts == 2


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        (ModelFailed("it raised"), JobState.FAILED, "it raised"),
        (NotProcessable("too few slices"), JobState.NOT_PROCESSABLE, "too few slices"),
        (ZeroDivisionError("a bug of ours"), JobState.FAILED, "the node failed on it: see the log for this job"),
    ],
)
def test_what_will_not_succeed_is_stated_once_and_the_next_job_is_done(
    bench: Bench, fault: Exception, state: JobState, reason: str
) -> None:
    bench.models.raises = [fault]
    bench.complete(mr_series(Grid(slices=10)))
    bench.complete(mr_series(Grid(slices=10), name="another"))
    with working(bench):
        becomes(bench, JobState.COMPLETED, 2)
    assert (bench.row(1).state, bench.row(1).reason) == (state, reason)


def test_a_destination_that_comes_back_gets_what_is_missing(bench: Bench) -> None:
    bench.out.answers = {"SEG": [Meaning.DELIVERED], "SR": [Meaning.WAIT]}
    bench.complete(mr_series(Grid(slices=10)))
    with working(bench) as worker:
        until(lambda: waits(bench), "a time for the next attempt", PATIENCE_S)
        bench.clock.advance(3600)
        worker.wake()
        becomes(bench, JobState.COMPLETED)
    assert bench.out.kinds == ["SEG", "SR"]


def test_a_refused_delivery_fails_the_job_with_the_answer(bench: Bench) -> None:
    bench.out.answers = {"SR": [Meaning.REFUSED]}
    bench.complete(mr_series(Grid(slices=10)))
    with working(bench):
        becomes(bench, JobState.FAILED)
    assert bench.row(1).reason == "out answered 0122"


def test_an_outcome_that_the_database_does_not_take_is_written_later(bench: Bench) -> None:
    bench.complete(mr_series(Grid(slices=10)))
    with bench.store.database.transaction() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER stuck BEFORE UPDATE ON job WHEN NEW.state = 'completed' "
                "BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        )
    with working(bench):
        until(lambda: bench.out.kinds == ["SEG", "SR"], "the delivery", PATIENCE_S)
        assert bench.row(1).state == JobState.IN_PROGRESS
        with bench.store.database.transaction() as connection:
            connection.execute(text("DROP TRIGGER stuck"))
        becomes(bench, JobState.COMPLETED)
    assert bench.row(1).attempts == 1


def test_urgent_jobs_come_first(bench: Bench) -> None:
    for name in ("routine", "stat", "low"):
        bench.complete(mr_series(Grid(slices=10), name=name))
    with bench.store.database.transaction() as connection:
        for number, priority in enumerate(("routine", "stat", "low"), 1):
            connection.execute(text("UPDATE job SET rank = :r WHERE id = :n"), {"r": rank(priority), "n": number})
    with working(bench):
        becomes(bench, JobState.COMPLETED, 3)
    assert bench.models.asked == ["job-2", "job-1", "job-3"]


def test_a_clerk_tells_that_there_is_work(bench: Bench) -> None:
    told: list[None] = []
    bench.receive(mr_series(Grid(slices=10)))
    bench.clock.advance(LONG_AFTER)
    clerk = Clerk(bench.completion, bench.clock, lambda: told.append(None))
    clerk.start()
    until(lambda: told, "the clerk's word", PATIENCE_S)
    clerk.stop(PATIENCE_S)
    assert len(bench.jobs()) == 1
