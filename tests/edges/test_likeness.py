"""How unlike the usual series one is: in the SR, in words; for the rules, as a number that comes with an answer."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydicom import dcmread

from node.adapters.database import conclusions, jobs
from node.adapters.triton import Model, TritonClient
from node.adapters.triton.calibration import write_calibration
from node.core import ood, phantom
from node.core.ood import Oddity
from node.core.rules.subject import result_facts
from node.core.states import JobState
from node.errors import OnHold
from node.mricore.vectors import Embedder
from node.pipeline.models import Models
from node.pipeline.work import Work
from node.web import Web, api_routes
from node.web.api.jobs import jobs_router
from node.worker import Worker
from tests.bench import Bench, rules
from tests.command_line import mricore_node, settings_file
from tests.synthetic import Grid, mr_series
from tests.triton_fixture import MODEL

USUAL, UNUSUAL = Oddity(0.4, 50.0, "abc"), Oddity(9.0, 100.0, "abc")
TWO_VOLUMES = {
    "_set.yaml": "otherwise: hold\n",
    "10-mr.yaml": (
        "name: mr\ndescription: every echo\nwhen: {Modality: MR}\n"
        "then: [{infer: {model: mri_core_head, volume: each}}, {deliver: [out]}]\n"
    ),
}

HOLD_THE_UNUSUAL = {
    "_set.yaml": "otherwise: hold\n",
    "05-odd.yaml": (
        "name: odd\ndescription: for a person\nwhen: {ood.mri_core_head: {at_least: 99}}\n"
        "then: [{hold: unlike our heads}]\n"
    ),
    "10-mr.yaml": (
        "name: mr\ndescription: every MR series\nwhen: {Modality: MR}\n"
        "then: [{infer: mri_core_head}, {deliver: [out]}]\n"
    ),
}


def heeding(bench: Bench) -> Work:
    """Work that asks the bench's rules again."""
    return replace(bench.work, reconsider=bench.completion.reconsider, objection=bench.completion.objection)


def worked(bench: Bench) -> str:
    """The state of the newest job after a worker's step."""
    Worker("worker", bench.store.database, heeding(bench), bench.clock)._step()
    return str(bench.row(bench.jobs()[-1].id).state)


@pytest.mark.parametrize(
    ("oddity", "words"),
    [(USUAL, "Within the reference series"), (UNUSUAL, "Unlike every reference series")],
)
def test_the_sr_says_on_which_side_of_the_reference_a_series_lies(bench: Bench, oddity: Oddity, words: str) -> None:
    bench.models.oddity = oddity
    job = bench.complete(mr_series(Grid(slices=10)))
    bench.attempt()
    (content,) = [content for kind, content in bench.out.taken if kind == "SR"]
    sr = dcmread(BytesIO(content))
    assert words in str(sr)
    found = conclusions.found(bench.store.database, job.series_instance_uid, 1)
    assert result_facts(found) == {"ood.mri_core_head": oddity.percentile}
    assert conclusions.oddity_of(bench.store.database, job.id) == oddity
    parameters = f"ood_score={oddity.score:g}", f"ood_percentile={oddity.percentile:g}", "calibration_sha256=abc"
    for each in parameters:
        assert each.encode() in content


def test_each_job_keeps_its_own_judgement_and_the_rules_see_the_most_unusual(bench: Bench) -> None:
    database = bench.store.database
    bench.rule_set = rules(TWO_VOLUMES)
    first = bench.complete(mr_series(Grid(slices=10), echo_times=(10.0, 90.0)))
    assert [job.model for job in bench.jobs()] == ["mri_core_head", "mri_core_head"]
    for oddity in (UNUSUAL, USUAL):
        bench.models.oddity = oddity
        bench.attempt()
    assert [conclusions.oddity_of(database, job.id) for job in bench.jobs()] == [UNUSUAL, USUAL]
    assert conclusions.found(database, first.series_instance_uid, 1) == {"mri_core_head": {"ood": 100.0}}


def test_a_judgement_on_a_job_that_was_taken_away_does_not_count(bench: Bench) -> None:
    job = bench.complete(mr_series(Grid(slices=10)))
    claimed = bench.claim()
    other = replace(claimed, claim=claimed.claim + 1)
    assert not conclusions.keep_oddity(bench.store.database, other, UNUSUAL, bench.clock())
    assert conclusions.oddity_of(bench.store.database, job.id) is None


def test_a_rule_holds_what_is_unlike_the_usual_series_until_somebody_lets_it_go(bench: Bench) -> None:
    bench.rule_set = rules(HOLD_THE_UNUSUAL)
    database = bench.store.database
    bench.models.oddity = USUAL
    bench.complete(mr_series(Grid(slices=10), name="usual"))
    assert worked(bench) == JobState.COMPLETED
    bench.models.oddity = UNUSUAL
    job = bench.complete(mr_series(Grid(slices=10)))
    assert worked(bench) == JobState.HELD
    assert bench.row(job.id).reason == "rule odd: unlike our heads"
    assert len(bench.out.taken) == 2
    assert jobs.retry(database, job.id, "somebody", bench.clock())
    assert worked(bench) == JobState.COMPLETED
    assert (len(bench.out.taken), len(bench.models.asked)) == (4, 2)


def test_a_hold_that_was_cut_off_is_not_forgotten(bench: Bench) -> None:
    bench.rule_set, bench.models.oddity = rules(HOLD_THE_UNUSUAL), UNUSUAL
    job = bench.complete(mr_series(Grid(slices=10)))
    with pytest.raises(OnHold):  # the labels are kept, and nobody writes what came of the attempt
        heeding(bench).make(bench.claim())
    bench = bench.restarted()
    assert worked(bench) == JobState.HELD
    assert bench.row(job.id).state == JobState.HELD
    bench.store.close()


def test_a_late_slice_supersedes_a_job_that_is_held(bench: Bench) -> None:
    bench.rule_set, bench.models.oddity = rules(HOLD_THE_UNUSUAL), UNUSUAL
    *most, late = mr_series(Grid(slices=10))
    job = bench.complete(most)
    assert worked(bench) == JobState.HELD
    bench.complete([late])
    assert bench.row(job.id).state == JobState.SUPERSEDED


def test_people_see_it_with_the_job(bench: Bench) -> None:
    bench.models.oddity = Oddity(1.25, 97.5, "c" * 64)
    job = bench.complete(mr_series(Grid(slices=10)))
    bench.attempt()
    settings = settings_file(bench.store.folder)
    words = f"percentile 97.5, score 1.25, by calibration {'c' * 16}"
    assert words in mricore_node("trace", "A1", "--config", settings).out
    assert words in mricore_node("jobs", "show", job.id, "--config", settings).out
    told = {"score": 1.25, "percentile": 97.5, "calibration": "c" * 64}
    assert mricore_node("jobs", "show", job.id, "--json", "--config", settings).json["likeness"] == told
    web = Web(api_routes([jobs_router(bench.store.database, bench.clock, {})]))
    with httpx.Client(trust_env=False, timeout=60) as client:
        said = client.get(f"http://127.0.0.1:{web.start('127.0.0.1', 0)}/api/v1/jobs/{job.id}")
    web.stop()
    assert said.json()["likeness"] == told


def test_without_a_calibration_nothing_is_said(bench: Bench) -> None:
    job = bench.complete(mr_series(Grid(slices=10)))
    bench.attempt()
    assert conclusions.oddity_of(bench.store.database, job.id) is None
    assert not any(b"Likeness" in content for _, content in bench.out.taken)


def test_a_served_model_with_a_calibration_judges_what_it_is_given(
    model: Model, triton_client: TritonClient, tmp_path: Path
) -> None:
    mine = replace(model, folder=tmp_path)
    heads = [phantom.voxels(phantom.Grid(slices=8, rows=64, columns=64), seed=seed).array for seed in range(4)]
    write_calibration(mine, ood.fit([Embedder(model).vectors(head) for head in heads]))
    models = Models([mine], triton_client, 240.0)
    assert models.ask_canaries() == {}
    noise = np.random.default_rng(1).integers(0, 4000, (8, 64, 64)).astype(np.uint16)
    judged: list[Oddity] = []
    for slices in (heads[0], noise):
        labels = models.infer(mine.card, slices, "request", lambda: None, "", judged.append)
        assert labels.shape == slices.shape
    assert judged[0].score < 0.05
    assert judged[1].unusual


def test_a_running_node_takes_up_a_calibration_and_goes_on_without_one_that_is_damaged(
    model: Model, triton_client: TritonClient, tmp_path: Path
) -> None:
    mine = replace(model, folder=tmp_path)
    heads = [phantom.voxels(phantom.Grid(slices=8, rows=48, columns=48), seed=seed).array for seed in range(4)]
    models = Models([mine], triton_client, 240.0)
    assert models.ask_canaries() == {}
    file = write_calibration(mine, ood.fit([Embedder(model).vectors(head) for head in heads]))
    good = file.read_bytes()
    judged: list[Oddity] = []

    def look_and_ask() -> int:
        models.look_for_calibrations()
        models.infer(mine.card, heads[0][:1], "request", lambda: None, "", judged.append)
        return len(judged)

    assert look_and_ask() == 1
    file.write_bytes(good[:-100])
    assert look_and_ask() == 1
    assert Models([mine], triton_client, 240.0).faults() == models.faults() | {MODEL: "the canary was not asked yet"}
    file.write_bytes(good)
    assert look_and_ask() == 2
    assert judged[0] == judged[1]
    assert judged[0].calibration == hashlib.sha256(good).hexdigest()
    file.unlink()
    assert look_and_ask() == 2
