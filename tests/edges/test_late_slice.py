"""A slice that comes after completion: the job is done again, and the new result names the one that it replaces."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread

from node.adapters.database import jobs as rows
from node.adapters.database.balance import balance
from node.adapters.database.trace import find
from node.core.states import JobState, SeriesState
from node.core.status import Meaning
from node.pipeline.work import JobGoneError
from tests.bench import LONG_AFTER, Bench
from tests.synthetic import Grid, mr_series

ALL = mr_series(Grid(slices=12))
FIRST, LATE = ALL[:11], ALL[11:]


def attempt_as_worker(bench: Bench) -> str:
    """An attempt that completes, written down as the worker does."""
    job = bench.claim()
    sentence = bench.work.attempt(job)
    rows.finish(bench.store.database, job.id, JobState.COMPLETED, sentence, bench.clock())
    return sentence


def reopened(bench: Bench) -> None:
    bench.receive(LATE)
    bench.clock.advance(LONG_AFTER)
    assert bench.judge_due() == [True]


def test_a_late_slice_reopens_the_series_as_its_next_version(bench: Bench) -> None:
    bench.complete(FIRST)
    bench.receive(LATE)
    (row,) = bench.store.series()
    assert (row.state, row.version) == (SeriesState.WAITING, 2)
    assert "after the series was complete" in row.reason
    assert balance(bench.store.database).residue == 0


def test_the_new_job_supersedes_the_delivered_one_and_its_report_names_it(bench: Bench) -> None:
    bench.complete(FIRST)
    attempt_as_worker(bench)
    reopened(bench)
    old, new = bench.jobs()
    assert (new.version, new.supersedes) == (2, old.id)
    attempt_as_worker(bench)
    old, new = bench.jobs()
    assert (old.state, new.state) == (JobState.SUPERSEDED, JobState.COMPLETED)
    first_sr, second_sr = (dcmread(BytesIO(content)) for kind, content in bench.out.taken if kind == "SR")
    named = second_sr.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == first_sr.SOPInstanceUID
    assert first_sr.SOPInstanceUID != second_sr.SOPInstanceUID
    assert balance(bench.store.database).delivered == 12


def test_a_job_that_did_not_begin_is_replaced_and_never_runs(bench: Bench) -> None:
    bench.complete(FIRST)
    reopened(bench)
    old, new = bench.jobs()
    assert (old.state, new.supersedes) == (JobState.SUPERSEDED, None)
    assert bench.claim().id == new.id


def test_an_attempt_that_a_late_slice_overtakes_delivers_nothing(bench: Bench) -> None:
    bench.complete(FIRST)
    bench.models.during = lambda: reopened(bench) if len(bench.jobs()) == 1 else None
    job = bench.claim()
    with pytest.raises(JobGoneError):
        bench.work.attempt(job)
    assert bench.out.taken == []
    old, new = bench.jobs()
    assert (old.state, new.state, new.supersedes) == (JobState.SUPERSEDED, JobState.SCHEDULED, None)


def test_a_result_that_was_on_its_way_when_the_slice_came_is_named_by_the_new_one(bench: Bench) -> None:
    """It cannot be called back any more: the PACS must learn that it is replaced."""
    bench.complete(FIRST)
    bench.out.during = lambda: reopened(bench) if len(bench.jobs()) == 1 else None
    bench.work.attempt(bench.claim())
    assert bench.out.kinds == ["SEG", "SR"]
    old, new = bench.jobs()
    assert (old.state, new.supersedes) == (JobState.SUPERSEDED, old.id)
    attempt_as_worker(bench)
    documents = [dcmread(BytesIO(content)) for kind, content in bench.out.taken if kind == "SR"]
    assert "PredecessorDocumentsSequence" not in documents[0]
    assert "PredecessorDocumentsSequence" in documents[1]


def test_a_half_delivered_result_is_named_by_the_new_one(bench: Bench) -> None:
    bench.complete(FIRST)
    bench.out.answers["SR"] = [Meaning.WAIT]
    assert bench.attempt().startswith("DestinationUnavailable")
    reopened(bench)
    old, new = bench.jobs()
    assert new.supersedes == old.id


def test_a_failed_job_is_replaced_without_being_named(bench: Bench) -> None:
    job = bench.complete(FIRST)
    bench.claim()
    rows.finish(bench.store.database, job.id, JobState.FAILED, "the model raised", bench.clock())
    reopened(bench)
    assert bench.jobs()[1].supersedes is None


def test_three_versions_are_a_chain(bench: Bench) -> None:
    bench.complete(ALL[:10])
    attempt_as_worker(bench)
    for one in ALL[10:]:
        bench.complete([one])
        attempt_as_worker(bench)
    assert [(job.version, job.supersedes, job.state) for job in bench.jobs()] == [
        (1, None, JobState.SUPERSEDED),
        (2, 1, JobState.SUPERSEDED),
        (3, 2, JobState.COMPLETED),
    ]
    (line,) = find(bench.store.database, "A1")
    assert line.version == 3
    assert balance(bench.store.database).residue == 0


def test_a_duplicate_that_comes_late_changes_nothing(bench: Bench) -> None:
    bench.complete(FIRST)
    bench.receive(FIRST[:1])
    (row,) = bench.store.series()
    assert (row.state, row.version) == (SeriesState.ROUTED, 1)
