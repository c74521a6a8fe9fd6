"""The CPU flavour's model.py hands tensors to and from Triton without changing a single value."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from node.adapters.triton import TritonClient
from tests.triton_fixture import MODEL, REPOSITORY, StartTriton

onnx = pytest.importorskip("onnx", reason="needs the extra `models`")


def low_byte(path: Path) -> None:
    """A network that answers with the low byte of each value."""
    tensor, helper = onnx.TensorProto, onnx.helper
    axes = ["N", "H", "W"]
    graph = helper.make_graph(
        [
            helper.make_node("Mod", ["slices", "size"], ["low"]),
            helper.make_node("Cast", ["low"], ["labels"], to=tensor.UINT8),
        ],
        "low_byte",
        [helper.make_tensor_value_info("slices", tensor.INT32, axes)],
        [helper.make_tensor_value_info("labels", tensor.UINT8, axes)],
        [helper.make_tensor("size", tensor.INT32, [], [256])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)


def test_every_value_of_every_shape_comes_back(tmp_path: Path, start_triton: StartTriton) -> None:
    shutil.copytree(REPOSITORY / MODEL, tmp_path / "models" / MODEL)
    low_byte(tmp_path / "models" / MODEL / "1" / "model.onnx")
    server = start_triton(tmp_path / "models")
    generator = np.random.default_rng(5)
    with TritonClient(server.url, requests_in_flight=4) as client:
        for _ in range(60):
            shape = (int(generator.integers(1, 20)), *map(int, generator.integers(1, 90, 2)))
            slices = generator.integers(0, 65536, shape).astype(np.uint16)
            assert np.array_equal(client.infer(MODEL, "", slices), slices & 255), shape
