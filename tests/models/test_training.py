"""Training can be repeated and interrupted; labels come from the image alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `models`")

from node.core.phantom import Grid, voxels  # noqa: E402
from node.mricore.config import HEAD  # noqa: E402
from node.mricore.network import Network  # noqa: E402
from node.mricore.segmenter import Segmenter  # noqa: E402
from node.mricore.training.evaluate import dice  # noqa: E402
from node.mricore.training.labels import BrainBand, Ellipsoid, brain_mask, head_mask  # noqa: E402
from node.mricore.training.loop import Plan, batch_of, train  # noqa: E402
from node.mricore.training.series import Volume  # noqa: E402
from node.mricore.training.sources import Slices, split, squared  # noqa: E402

TINY = replace(HEAD, image_size=64, depth=1, width=48, heads=3, window=4, embedding=32, decoder_hidden=32)
PLAN = Plan(steps=4, restart=3, batch=2, warm_up=1, keep_every=2)


@pytest.fixture(scope="module")
def heads() -> Slices:
    made = voxels(Grid(slices=6, rows=64, columns=64, pixel_spacing=(3.7, 3.7), slice_spacing=22))
    return squared("phantom", made.array.astype(np.float32), made.head, made.brain, 64)


def trained(heads: Slices, folder: Path, *stops: int) -> dict[str, Any]:
    """The weights after the last of several runs; a run ends after that many steps of the one plan."""
    segmenter = Segmenter(Network(TINY))
    for stop in stops:
        segmenter = Segmenter(Network(TINY))
        train(segmenter, [heads], PLAN, folder, lambda line: None, stop_after=stop)
    return segmenter.network.state_dict()


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(heads: Slices, tmp_path: Path) -> None:
    whole = trained(heads, tmp_path / "whole", 4)
    halves = trained(heads, tmp_path / "halves", 2, 4)
    assert all(torch.equal(whole[key], halves[key]) for key in whole)


def test_the_batch_of_a_step_is_always_the_same(heads: Slices) -> None:
    (image, truth), (again, _) = batch_of([heads], PLAN, 3, 64), batch_of([heads], PLAN, 3, 64)
    assert torch.equal(image, again)
    assert not torch.equal(image, batch_of([heads], PLAN, 2, 64)[0])
    assert set(torch.unique(truth).tolist()) <= {0.0, 1.0}


def test_held_out_slices_are_not_trained_on(heads: Slices) -> None:
    chosen, held_out = split(heads, 3)
    assert (len(chosen.image), len(held_out.image)) == (2, 4)
    assert not any(torch.equal(one, other) for one in chosen.image for other in held_out.image)


def test_thresholds_and_morphology_find_the_phantom() -> None:
    grid = Grid(slices=30, rows=128, columns=128, pixel_spacing=(1.875, 1.875))
    made = voxels(grid)
    volume = Volume("phantom", made.array.astype(np.float32), (grid.slice_spacing, *grid.pixel_spacing))
    head = head_mask(volume)
    band = BrainBand(low=0.5, high=1.3, erode=3, close=6, within=(Ellipsoid((17, 66, 63), (16, 50, 40)),))
    assert dice(head, made.head) > 0.95
    assert dice(brain_mask(volume, head, band), made.brain) > 0.85
