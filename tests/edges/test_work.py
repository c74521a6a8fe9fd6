"""One attempt at one job: what is made, what is delivered where, and what ends it."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from node.adapters.database import jobs as rows
from node.adapters.database.balance import balance
from node.core.results import verify_files
from node.core.states import JobState, Stage
from node.core.status import Meaning
from node.errors import DestinationRefused, ModelFailed, ModelUnavailable
from node.pipeline.work import JobGoneError
from tests.bench import Bench, rules
from tests.synthetic import Grid, color, localizer, mosaic, mr_series, to_bytes

HEAD = mr_series(Grid(slices=10))


def finished(bench: Bench) -> None:
    for job in bench.jobs():
        rows.finish(bench.store.database, job.id, JobState.COMPLETED, "", bench.clock())


def test_a_series_becomes_a_segmentation_and_a_report_that_are_delivered_in_this_order(bench: Bench) -> None:
    job = bench.complete(HEAD)
    assert bench.attempt() == "delivered to out"
    assert bench.out.kinds == ["SEG", "SR"]
    seg = dcmread(BytesIO(bench.out.taken[0][1]))
    assert seg.SOPClassUID == SegmentationStorage
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == HEAD[0].SeriesInstanceUID
    assert list(verify_files(bench.out.taken[0][1], HEAD)) == []
    made = rows.results(bench.store.database, job.id)
    assert [(one.kind, (bench.store.folder / "results" / one.path).read_bytes()) for one in made] == bench.out.taken
    row = bench.row(job.id)
    assert set(row.seconds) == {"infer", "encode", "check", "deliver"}
    assert [segment["label"] for segment in row.segments] == ["Head", "Brain"]


def test_the_same_series_gives_the_same_bytes_on_another_node(bench: Bench) -> None:
    bench.complete(HEAD)
    bench.attempt()
    again = bench.restarted()
    rows.retry(again.store.database, 1, "somebody", again.clock())
    first = list(again.out.taken)
    for one in (bench.store.folder / "results").rglob("*.dcm"):
        assert one.read_bytes() in [content for _, content in first]
    again.store.close()


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        (localizer(), "orientation"),
        (mosaic(), "tiles"),
        (color(), ""),
        (mr_series(Grid(slices=3)), "slices"),
        (mr_series(Grid(slices=10), absent=["ImagePositionPatient"]), ""),
        (mr_series(Grid(slices=10), absent=["FrameOfReferenceUID"]), ""),
        (mr_series(Grid(slices=10), absent=["PixelData"]), ""),
        (mr_series(Grid(slices=10), echo_times=(10.0, 20.0)), ""),
    ],
    ids=["localizer", "mosaic", "color", "few slices", "no position", "no frame", "no pixels", "two echoes"],
)
def test_what_the_model_cannot_take_is_not_processable_with_a_sentence(
    bench: Bench, datasets: list[Dataset], words: str
) -> None:
    bench.rule_set = rules(
        {
            "_set.yaml": "otherwise: hold\n",
            "10-all.yaml": (
                "name: all\ndescription: all\nwhen: {series.instances: {at_least: 1}}\n"
                "then: [{infer: mri_core_head}, {deliver: [out]}]\nstop: true\n"
            ),
        }
    )
    bench.complete(datasets)
    said = bench.attempt()
    assert said.startswith(("NotProcessable: ", "BadInstance: "))
    assert words in said
    assert bench.out.taken == []
    assert len(bench.store.paths()) == len(datasets)


def test_a_model_that_is_down_leaves_nothing_behind_and_the_next_attempt_works(bench: Bench) -> None:
    job = bench.complete(HEAD)
    bench.models.raises = [ModelUnavailable("Triton does not answer")]
    with pytest.raises(ModelUnavailable):
        bench.work.attempt(bench.claim())
    assert rows.results(bench.store.database, job.id) == []
    rows.finish(bench.store.database, job.id, JobState.SCHEDULED, "later", bench.clock())
    assert bench.attempt() == "delivered to out"


def test_a_model_that_raised_fails_the_job(bench: Bench) -> None:
    bench.complete(HEAD)
    bench.models.raises = [ModelFailed("it raised")]
    with pytest.raises(ModelFailed):
        bench.work.attempt(bench.claim())


def test_a_destination_that_is_down_is_tried_again_without_inferring_again(bench: Bench) -> None:
    job = bench.complete(HEAD)
    bench.out.down = True
    assert bench.attempt() == "DestinationUnavailable: out cannot be reached"
    assert bench.row(job.id).stage == Stage.DELIVER
    bench.out.down = False
    rows.finish(bench.store.database, job.id, JobState.SCHEDULED, "later", bench.clock())
    assert bench.attempt() == "delivered to out"
    assert bench.out.kinds == ["SEG", "SR"]
    assert bench.models.asked == [f"job-{job.id}"]


def test_what_was_delivered_is_not_sent_again(bench: Bench) -> None:
    job = bench.complete(HEAD)
    bench.out.answers = {"SR": [Meaning.WAIT, Meaning.WAIT]}
    for _ in range(2):
        assert "out answered A700" in bench.attempt()
        rows.finish(bench.store.database, job.id, JobState.SCHEDULED, "later", bench.clock())
    assert bench.attempt() == "delivered to out"
    assert bench.out.kinds == ["SEG", "SR"]


def test_a_refusal_is_final_and_says_what_the_destination_answered(bench: Bench) -> None:
    job = bench.complete(HEAD)
    bench.out.answers = {"SEG": [Meaning.REFUSED]}
    with pytest.raises(DestinationRefused, match="out answered 0122"):
        bench.work.attempt(bench.claim())
    assert bench.out.kinds == ["SR"]
    rows.finish(bench.store.database, job.id, JobState.FAILED, "refused", bench.clock())
    assert balance(bench.store.database).failed == 10


def test_a_retry_sends_only_what_was_refused(bench: Bench) -> None:
    job = bench.complete(HEAD)
    bench.out.answers = {"SEG": [Meaning.REFUSED]}
    assert bench.attempt().startswith("DestinationRefused")
    rows.finish(bench.store.database, job.id, JobState.FAILED, "refused", bench.clock())
    assert rows.retry(bench.store.database, job.id, "somebody", bench.clock())
    assert bench.attempt() == "delivered to out"
    assert bench.out.kinds == ["SR", "SEG"]
    assert len(bench.models.asked) == 1


def test_a_destination_that_nobody_configured_is_a_refusal(bench: Bench) -> None:
    bench.complete(HEAD)
    bench.out.name = "elsewhere"
    assert "no destination is called out" in bench.attempt()


def test_a_job_that_is_canceled_during_inference_delivers_nothing(bench: Bench) -> None:
    job = bench.complete(HEAD)
    bench.models.during = lambda: _cancel(bench, job.id)
    with pytest.raises(JobGoneError):
        bench.work.attempt(bench.claim())
    assert bench.out.taken == []
    assert bench.jobs()[0].state is JobState.CANCELED
    assert balance(bench.store.database).residue == 0


def _cancel(bench: Bench, job_id: int) -> None:
    assert rows.finish(bench.store.database, job_id, JobState.CANCELED, "not wanted", bench.clock(), actor="somebody")


def test_an_attempt_that_was_cut_off_is_taken_up_after_a_start(bench: Bench) -> None:
    bench.complete(HEAD)
    bench.claim()  # and the process ended
    again = bench.restarted()
    assert again.attempt() == "delivered to out"
    assert again.jobs()[0].attempts == 2
    again.store.close()


def test_a_job_cut_off_between_results_and_delivery_only_delivers(bench: Bench) -> None:
    bench.complete(HEAD)
    bench.out.down = True
    bench.attempt()
    again = bench.restarted()
    again.out.down = False
    assert again.attempt() == "delivered to out"
    assert len(again.models.asked) == 1
    again.store.close()


def test_a_stored_file_that_vanished_fails_the_job_with_a_reason(bench: Bench) -> None:
    bench.complete(HEAD)
    bench.store.files.path(sorted(bench.store.paths())[0]).unlink()
    assert bench.attempt().startswith("BadInstance: ")


def test_a_stored_file_that_was_cut_fails_the_job_with_a_reason(bench: Bench) -> None:
    bench.complete(HEAD)
    path = bench.store.files.path(sorted(bench.store.paths())[0])
    path.write_bytes(path.read_bytes()[:-100])
    assert bench.attempt().startswith(("BadInstance: ", "NotProcessable: "))
    assert to_bytes(HEAD[0])
