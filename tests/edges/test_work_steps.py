"""Durable steps: what an attempt finds of the one before, and when it does not believe it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from node.adapters.database import jobs as rows
from node.adapters.database import pauses
from node.core.jobs import Job
from node.core.states import JobState, Stage
from node.errors import DestinationUnavailable
from node.pipeline.work import Work
from tests.bench import Bench
from tests.synthetic import Grid, mr_series

HEAD = mr_series(Grid(slices=10))


class EndedError(Exception):
    """The process ends at this moment."""


class Ending(Work):
    """Ends where the results begin to be made."""

    def _enter(self, job: Job, stage: Stage) -> None:
        if stage is Stage.ENCODE:
            raise EndedError
        super()._enter(job, stage)


def ended_while_encoding(bench: Bench) -> Path:
    """An attempt whose labels are kept and whose results are not; where its labels are."""
    job = bench.complete(HEAD)
    work = Ending(**{one.name: getattr(bench.work, one.name) for one in fields(Work)})
    with pytest.raises(EndedError):
        work.attempt(bench.claim())
    rows.finish(bench.store.database, job.id, JobState.SCHEDULED, "again", bench.clock())
    (labels,) = (bench.store.folder / "results").rglob("labels.npz")
    return labels


def test_labels_that_were_kept_are_not_asked_for_again_and_go_when_the_results_are_kept(bench: Bench) -> None:
    labels = ended_while_encoding(bench)
    assert bench.attempt() == "delivered to out"
    assert len(bench.models.asked) == 1
    assert not labels.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"not a zip"),
        lambda file: file.write_bytes(file.read_bytes()[:-40]),
        lambda file: file.unlink(),
    ],
    ids=["empty", "foreign", "cut", "gone"],
)
def test_labels_that_are_damaged_are_asked_for_again(bench: Bench, damage: Callable[[Path], object]) -> None:
    damage(ended_while_encoding(bench))
    assert bench.attempt() == "delivered to out"
    assert len(bench.models.asked) == 2


def test_a_job_for_a_paused_destination_keeps_its_results_and_says_since_when_it_waits(bench: Bench) -> None:
    job = bench.complete(HEAD)
    pauses.pause(bench.store.database, pauses.DESTINATION, "out", "somebody", bench.clock())
    with pytest.raises(DestinationUnavailable, match="out is paused since 2025-01-02"):
        bench.work.attempt(bench.claim())
    assert bench.out.taken == []
    rows.finish(bench.store.database, job.id, JobState.SCHEDULED, "paused", bench.clock())
    pauses.resume(bench.store.database, pauses.DESTINATION, "out", bench.clock())
    assert bench.attempt() == "delivered to out"
    assert len(bench.models.asked) == 1
