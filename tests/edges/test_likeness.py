"""How unlike the usual series one is: in the SR, in words; for the rules, as a number that comes with an answer."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from node.adapters.database import conclusions
from node.adapters.triton import Model, TritonClient
from node.adapters.triton.calibration import write_calibration
from node.core import ood, phantom
from node.core.ood import Oddity
from node.core.rules.subject import result_facts
from node.mricore.vectors import Embedder
from node.pipeline.models import Models
from tests.bench import Bench
from tests.synthetic import Grid, mr_series


@pytest.mark.parametrize(
    ("oddity", "words"),
    [(Oddity(0.4, 50.0), "Within the reference series"), (Oddity(9.0, 100.0), "Unlike every reference series")],
)
def test_the_sr_says_on_which_side_of_the_reference_a_series_lies(bench: Bench, oddity: Oddity, words: str) -> None:
    bench.models.oddity = oddity
    job = bench.complete(mr_series(Grid(slices=10)))
    bench.attempt()
    (sr,) = [dcmread(BytesIO(content)) for kind, content in bench.out.taken if kind == "SR"]
    assert words in str(sr)
    found = conclusions.found(bench.store.database, job.series_instance_uid, 1)
    assert result_facts(found) == {"ood.mri_core_head": oddity.percentile}
    assert conclusions.oddity_of(bench.store.database, job.id) == oddity


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
    models = Models([mine], triton_client, 60.0)
    assert models.ask_canaries() == {}
    noise = np.random.default_rng(1).integers(0, 4000, (8, 64, 64)).astype(np.uint16)
    judged: list[Oddity] = []
    for slices in (heads[0], noise):
        labels = models.infer(mine.card, slices, "request", lambda: None, "", judged.append)
        assert labels.shape == slices.shape
    assert judged[0].score < 0.05
    assert judged[1].unusual
