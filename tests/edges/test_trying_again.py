"""A job is tried again as a whole or not at all, and never while it is being worked on."""

from __future__ import annotations

from sqlalchemy import event, update

from node.adapters.database import jobs as rows
from node.adapters.database.tables import result
from node.core.states import JobState
from node.core.status import Meaning
from tests.bench import Bench
from tests.synthetic import Grid, mr_series

HEAD = mr_series(Grid(slices=10))


def test_a_job_in_progress_goes_on_undisturbed(bench: Bench) -> None:
    bench.complete(HEAD)
    claimed = bench.claim()
    assert not rows.retry(bench.store.database, claimed.id, "somebody", bench.clock())
    assert bench.work.attempt(claimed) == "delivered to out"
    assert len(bench.models.asked) == 1


def test_whoever_takes_it_up_finds_all_of_it_undone(bench: Bench) -> None:
    """A worker may claim it in the very moment after the commit, and a kill may follow it."""
    bench.out.answers = {"SEG": [Meaning.REFUSED]}
    job = bench.complete(HEAD)
    bench.attempt()
    assert rows.finish(bench.store.database, job.id, JobState.FAILED, "refused", bench.clock())
    found: list[int] = []
    event.listen(
        bench.store.database.engine,
        "commit",
        lambda _connection: found.append(1),
    )
    assert rows.retry(bench.store.database, job.id, "somebody", bench.clock())
    assert len(found) == 1
    assert bench.attempt() == "delivered to out"


def test_what_has_no_results_any_more_is_not_tried_again(bench: Bench) -> None:
    job = bench.complete(HEAD)
    bench.attempt()
    assert rows.finish(bench.store.database, job.id, JobState.FAILED, "refused", bench.clock())
    assert rows.finish(bench.store.database, job.id, JobState.DISMISSED, "not needed", bench.clock())
    with bench.store.database.transaction() as connection:
        connection.execute(update(result).values(removed_at=bench.clock()))
    assert not rows.retry(bench.store.database, job.id, "somebody", bench.clock())
    assert bench.row(job.id).state == "dismissed"
