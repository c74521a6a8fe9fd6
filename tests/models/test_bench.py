"""Measuring a served model: every way answers alike, and the picture is one that a browser opens."""

from __future__ import annotations

import os
import xml.etree.ElementTree as Xml
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from node.adapters.triton import EmbeddedTriton, Model
from node.cli.models.bench import drawn
from node.errors import ModelFailed
from node.mricore import bars
from node.mricore.bench import CLIENT, DIRECT, GRPC, SHARED_MEMORY, Load, Server, measure


def test_each_way_is_measured_and_drawn(model: Model, triton: EmbeddedTriton) -> None:
    load, steps = Load(rows=48, columns=40, batches=(1, 32), series=5, calls=3), []
    found = measure(model, Server(triton.url, triton.token), load, lambda: steps.append(1))
    # A batch of 32 is more than the model takes.
    assert [(each.way, each.slices) for each in found.batches] == [(way, 1) for way in (DIRECT, GRPC, SHARED_MEMORY)]
    assert [(each.way, each.slices) for each in found.series] == [(DIRECT, 5), (CLIENT, 5)]
    assert all(each.p95_ms >= each.p50_ms > 0 and each.calls == 3 for each in found.batches)
    assert len(steps) == 5 * 5
    assert not list(Path("/dev/shm").glob(f"mricore-bench-{os.getpid()}-*"))  # noqa: S108 # where segments are
    picture = Xml.fromstring(drawn(found))  # noqa: S314 # our own
    assert sum(each.tag.endswith("rect") for each in picture.iter()) == 1 + 3 + 2


def test_a_server_that_answers_otherwise_is_not_measured(model: Model, triton: EmbeddedTriton, tmp_path: Path) -> None:
    """The same server, beside weights that mark nothing."""
    onnx = pytest.importorskip("onnx", reason="needs the extra `models`")
    graph = onnx.load(model.folder / model.card.weights.file)
    for tensor in graph.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros(tuple(tensor.dims), np.float32), tensor.name))
    (tmp_path / "1").mkdir()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "cpu.pbtxt").write_bytes((model.folder / "configs" / "cpu.pbtxt").read_bytes())
    onnx.save(graph, tmp_path / model.card.weights.file)
    with pytest.raises(ModelFailed, match="answers otherwise"):
        measure(
            replace(model, folder=tmp_path), Server(triton.url, triton.token), Load(64, 64, (1,), 4, 3), lambda: None
        )


def test_names_are_escaped_and_nothing_is_drawn_of_nothing() -> None:
    assert "&lt;b&gt;" in bars.svg("<b>", "s", [("g", [bars.Bar("a", 1.0)])])
    assert Xml.fromstring(bars.svg("empty", "s", [])) is not None  # noqa: S314 # our own
