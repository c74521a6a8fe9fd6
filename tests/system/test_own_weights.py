"""Weights of one's own, all the way: files of the reported layouts are exported and served; a real series has results.

The teacher becomes a classification by a linear probe that is fitted here, the fine-tuned network a segmentation; the
second runs because of what the first says. In small geometry, and on request at full size with the listed layouts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

torch = pytest.importorskip("torch", reason="needs the extra `models`")
pytest.importorskip("onnxscript", reason="needs the extra `models`")

from node.adapters.triton import EmbeddedTriton, TritonClient, read_repository  # noqa: E402
from node.core import phantom  # noqa: E402
from node.core.results import verify_files  # noqa: E402
from node.mricore.assembly import VIT_B  # noqa: E402
from node.mricore.checkpoint import read  # noqa: E402
from node.mricore.config import NetworkConfig  # noqa: E402
from node.mricore.draft import read_draft  # noqa: E402
from node.mricore.making import Sources, vectors_of  # noqa: E402
from node.mricore.model_folder import Publishing, publish  # noqa: E402
from node.pipeline.features import KeptFeatures  # noqa: E402
from node.pipeline.models import Models  # noqa: E402
from tests.bench import Bench, rules  # noqa: E402
from tests.fakes import FakeModels  # noqa: E402
from tests.models.checkpoints import GOLDEN, SMALL, full_state, invented, listed, teacher_state  # noqa: E402
from tests.models.test_model_folder import card_of_the_howto  # noqa: E402
from tests.real import SERIES  # noqa: E402

PROBE_CARD = """
name: is_it_tissue
version: '1'
kind: classification
title: Whether slices show anything but noise
intended_use: Test. Not for clinical use.
limits: Fitted to a phantom and to noise, on invented features.
input:
  modality: [MR]
  orientation: []
  slices: {at_least: 1, at_most: 512}
  body_parts: []
  intensity: any positive linear scale; each slice is normalised by itself
output:
  questions:
    - name: content
      concept: {value: '111050', scheme: DCM, meaning: Quality Assessment}
      answers:
        - {name: tissue, code: {value: '85756007', scheme: SCT, meaning: Tissue}}
        - {name: noise, code: {value: C-NOISE, scheme: 99TEST, meaning: Noise}}
network:
  path: native
  pooling: cls_mean
  image_size: 224
  normalize: imagenet
  contrast: minmax
  pos_embed_source: checkpoint
  neck_source: none
weights:
  origin: invented
  licence: Apache-2.0
algorithm_family: {value: '123110', scheme: DCM, meaning: Artificial Intelligence}
"""
RULES = {
    "_set.yaml": "otherwise: hold\n",
    "10-look.yaml": "name: look\nwhen: {Modality: MR}\nthen: [{infer: is_it_tissue}, {deliver: [out]}]\nstop: false\n",
    "20-mark.yaml": (
        "name: mark\nwhen: {result.is_it_tissue.content: tissue}\nthen: [{infer: knee_bones}, {deliver: [out]}]\n"
    ),
}


def small(folder: Path) -> NetworkConfig:
    torch.save({"teacher": teacher_state(SMALL)}, folder / "teacher.pth")
    torch.save(full_state(SMALL), folder / "fine_tuned.pth")
    return SMALL


def listed_layouts(folder: Path) -> NetworkConfig:
    if not GOLDEN.is_dir():
        pytest.skip("the golden vectors are not beside the repository (shared/data/golden)")
    torch.save({"teacher": invented(listed("keys_official_ckpt_reported.txt"))}, folder / "teacher.pth")
    torch.save(invented(listed("keys_full.txt")), folder / "fine_tuned.pth")
    return VIT_B


def fitted(sources: Sources, card: Path, path: Path) -> None:
    """A linear probe that tells phantom slices from noise: least squares on the features, which is deterministic."""
    vectors, _, _ = vectors_of(sources, read_draft(card, "is_it_tissue"))
    tissue = phantom.voxels(phantom.Grid(slices=12, rows=96, columns=80, slice_spacing=8.0), seed=5).array[2:10]
    noise = np.random.default_rng(5).integers(0, 4000, tissue.shape)
    with torch.inference_mode():
        found = [vectors(torch.from_numpy(each.astype(np.int32))).double() for each in (tissue, noise)]
    mean, scale = torch.cat(found).mean(0), torch.cat(found).std(0) + 1e-6
    features = torch.cat([(each - mean) / scale for each in found])
    truth = torch.cat([torch.ones(len(tissue)), -torch.ones(len(noise))]).double()
    gram = features @ features.T + torch.eye(len(features)) * features.shape[1] * 0.1
    line = 4.0 * features.T @ torch.linalg.solve(gram, truth) / scale
    weight = torch.stack([line, -line]) / 2
    bias = -weight @ mean
    torch.save({"content.weight": weight.float(), "content.bias": bias.float()}, path)


def made(folder: Path, layouts: Callable[[Path], NetworkConfig]) -> Path:
    """A repository with both models."""
    sizes, repository = layouts(folder), folder / "repository"
    repository.mkdir()
    (folder / "probe.yaml").write_text(PROBE_CARD)
    size, classes = (SMALL.image_size, 2) if sizes is SMALL else (1024, 1)
    card = card_of_the_howto(size)
    if classes == 1:
        card = card[: card.index("    - number: 2")] + card[card.index("network:") :]
    (folder / "bones.yaml").write_text(card)
    teacher, fine_tuned = (Sources(read(folder / f"{name}.pth"), sizes=sizes) for name in ("teacher", "fine_tuned"))
    fitted(teacher, folder / "probe.yaml", folder / "probe.pth")
    tissue = read_draft(folder / "probe.yaml", "is_it_tissue")
    publish(Publishing(teacher, print), tissue, repository / "is_it_tissue", folder / "probe.pth")
    bones = read_draft(folder / "bones.yaml", "knee_bones")
    publish(Publishing(fine_tuned, print), bones, repository / "knee_bones")
    return repository


def sagittal(each: int) -> Sequence[Dataset]:
    folder = SERIES / "siemens-t1-sag-hfs"
    if not folder.is_dir():
        pytest.skip(f"no real data at {SERIES}")
    slices = sorted((dcmread(path) for path in folder.rglob("*.dcm")), key=lambda ds: int(ds.InstanceNumber))
    return slices[2::each][:9]


@pytest.mark.slow
@pytest.mark.parametrize("layouts", [small, listed_layouts])
def test_checkpoints_of_the_reported_layouts_become_results_of_a_real_series(
    layouts: Callable[[Path], NetworkConfig],
    bench: Bench,
    start_triton: Callable[..., EmbeddedTriton],
    tmp_path: Path,
) -> None:
    repository = made(tmp_path, layouts)
    found = read_repository(repository)
    server = start_triton(repository, tuple(model.card.name for model in found))
    with TritonClient(server.url, token=server.token) as client:
        models = Models(found, client, 3000, KeptFeatures(tmp_path / "features"))
        assert models.ask_canaries() == {}
        bench.models, bench.rule_set = cast("FakeModels", models), rules(RULES)
        series = sagittal(3)
        bench.complete(series)
        work = replace(bench.work, reconsider=bench.completion.reconsider)
        assert work.attempt(bench.claim()) == "delivered to out"
        assert [job.model for job in bench.jobs()] == ["is_it_tissue", "knee_bones"]
        assert work.attempt(bench.claim()) == "delivered to out"
    assert bench.out.kinds == ["SR", "SEG", "SR"]
    assert [list(verify_files(content, series)) for _, content in bench.out.taken] == [[], [], []]
