"""A plan is built by trtexec where it is served, recorded, and refused where it does not fit.

A stand-in for trtexec on PATH: no GPU is needed to see what is asked for and written down.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from node.adapters.triton import EmbeddedTriton
from tests.command_line import Ran, mricore_node
from tests.triton_fixture import MODEL, REPOSITORY

TRTEXEC = """#!/bin/sh
# Knows the options of trtexec that are used, and fails on any other.
for argument in "$@"; do case "$argument" in
  --saveEngine=*) plan="${argument#--saveEngine=}" ;;
  --onnx=*) test -f "${argument#--onnx=}" || exit 3 ;;
  --timingCacheFile=*) cache="${argument#--timingCacheFile=}" ;;
  --minShapes=*|--optShapes=*|--maxShapes=*|--skipInference|--fp16|--precisionConstraints=obey|--layerPrecisions=*) ;;
  *) echo "[E] Unknown option: $argument"; exit 1 ;;
esac; done
test -s "$cache" && echo "[I] Loaded timing cache"
echo times > "$cache"
echo plan > "$plan"
echo "[I] TensorRT version: 10.9.0"
echo "[I] Selected Device: NVIDIA L4"
"""


def program(folder: Path, name: str, text: str) -> dict[str, str]:
    """An environment in which a program of that name is found first."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(stat.S_IRWXU)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the demonstration model."""
    return Path(shutil.copytree(REPOSITORY / MODEL, tmp_path / "copy" / MODEL))


def build(folder: Path, *more: object, text: str = TRTEXEC, **environment: str) -> Ran:
    path = program(folder.parent / "bin", "trtexec", text)
    return mricore_node("models", "build", folder, *more, environment={**path, **environment})


def test_without_trtexec_build_says_where_to_run_it(folder: Path) -> None:
    ran = mricore_node("models", "build", folder, environment={"PATH": str(folder)})
    assert (ran.status, "tritonserver container" in ran.err) == (2, True), ran


def test_a_plan_is_recorded_and_belongs_to_its_weights(folder: Path) -> None:
    ran = build(folder, "--largest", "512", TRITON_SERVER_VERSION="2.57.0")
    assert ran.status == 0, ran
    assert "--minShapes=slices:1x32x32" in ran.out
    assert "--maxShapes=slices:16x512x512" in ran.out
    assert "fp16" not in ran.out
    record = json.loads((folder / "1" / "plan.json").read_text())
    assert (record["tensorrt"], record["gpu"], record["triton"]) == ("10.9.0", "NVIDIA L4", "2.57.0")
    assert "plan: TensorRT 10.9.0 on NVIDIA L4, tf32" in mricore_node("models", "verify", folder).out
    (folder / "1" / "plan.json").write_text(json.dumps({**record, "weights_sha256": "other"}))
    ran = mricore_node("models", "verify", folder)
    assert (ran.status, "built from other weights" in ran.err) == (2, True), ran
    (folder / "1" / "plan.json").unlink()
    ran = mricore_node("models", "verify", folder)
    assert (ran.status, "no readable plan.json" in ran.err) == (2, True), ran


def test_what_trtexec_measured_is_kept_for_the_next_build(folder: Path) -> None:
    assert "Loaded timing cache" not in build(folder).out
    assert "Loaded timing cache" in build(folder).out


def test_half_precision_is_for_what_costs_time_and_nothing_else(folder: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the extra `models`")
    ran = build(folder, "--fp16")
    assert ran.status == 0, ran
    (option,) = (word for word in ran.out.split() if word.startswith("--layerPrecisions="))
    default, *layers = option.removeprefix("--layerPrecisions=").split(",")
    assert default == "*:fp32"
    half = {layer.removesuffix(":fp16") for layer in layers}
    graph = onnx.load(folder / "1" / "model.onnx").graph
    kinds = {node.name: node.op_type for node in graph.node}
    assert {kinds[name] for name in half} == {"Conv", "ConvTranspose", "Gemm", "MatMul"} & set(kinds.values())
    assert {"Softmax", "LayerNormalization"} <= set(kinds.values())
    assert _before_the_first_convolution(graph).isdisjoint(half)
    assert "fp16" in mricore_node("models", "verify", folder).out


def _before_the_first_convolution(graph: object) -> set[str]:
    nodes = list(graph.node)  # type: ignore[attr-defined] # onnx is not typed
    first = next(place for place, node in enumerate(nodes) if node.op_type == "Conv")
    return {node.name for node in nodes[:first]}


def test_a_plan_for_another_server_is_refused(folder: Path, triton: EmbeddedTriton) -> None:
    build(folder, TRITON_SERVER_VERSION="2.57.0")
    ran = mricore_node("models", "verify", folder, "--server", triton.url)
    assert (ran.status, "was built for triton 2.57.0, here is 2.51.0" in ran.err) == (2, True), ran
    build(folder, TRITON_SERVER_VERSION="2.51.0")
    assert mricore_node("models", "verify", folder, "--server", triton.url).status == 0


def test_a_plan_for_another_gpu_is_refused(folder: Path) -> None:
    build(folder)
    here = program(folder.parent / "bin", "nvidia-smi", "#!/bin/sh\necho NVIDIA H200\n")
    ran = mricore_node("models", "verify", folder, environment=here)
    assert (ran.status, "was built for gpu NVIDIA L4, here is NVIDIA H200" in ran.err) == (2, True), ran
    here = program(folder.parent / "bin", "nvidia-smi", "#!/bin/sh\necho NVIDIA L4\n")
    assert mricore_node("models", "verify", folder, environment=here).status == 0


def test_a_plan_for_other_batches_is_refused(folder: Path) -> None:
    build(folder)
    for file in (folder / "config.pbtxt", folder / "configs" / "cpu.pbtxt"):
        file.write_text(file.read_text().replace("max_batch_size: 16", "max_batch_size: 32"))
    ran = mricore_node("models", "verify", folder)
    assert (ran.status, "was built for batches of 16, config.pbtxt says 32" in ran.err) == (2, True), ran


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#!/bin/sh\necho '[E] no GPU'\nexit 1\n", "[E] no GPU"),
        ("#!/bin/sh\nexit 9\n", "exit status 9"),
        ("#!/bin/sh\nexit 0\n", "ended without a plan"),
    ],
)
def test_a_builder_that_fails_leaves_no_plan(folder: Path, text: str, words: str) -> None:
    ran = build(folder, text=text)
    assert (ran.status, words in ran.err) == (1, True), ran
    assert not (folder / "1" / "model.plan").exists()
    assert not (folder / "1" / ".building").exists()
