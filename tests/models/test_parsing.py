"""Every operator of a graph that production will build a plan of is one that a TensorRT takes; no GPU is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorrt_rtx", reason="needs the extra `trt`")
onnx = pytest.importorskip("onnx", reason="needs the extra `models`")

from node.errors import ModelFailed  # noqa: E402
from node.mricore.parsing import parsed_by  # noqa: E402
from tests.command_line import mricore_node  # noqa: E402
from tests.triton_fixture import MODEL, REPOSITORY  # noqa: E402


def test_the_demonstration_model_is_taken_and_verify_says_so() -> None:
    assert parsed_by(REPOSITORY / MODEL / "1" / "model.onnx").startswith("TensorRT-RTX 1.")
    assert "TensorRT-RTX 1." in mricore_node("models", "verify", REPOSITORY / MODEL).out


def test_an_operator_that_tensorrt_lacks_is_named(tmp_path: Path) -> None:
    text = onnx.helper.make_tensor_value_info("text", onnx.TensorProto.FLOAT, [4])
    found = onnx.helper.make_tensor_value_info("found", onnx.TensorProto.FLOAT, [4])
    node = onnx.helper.make_node("Det", ["square"], ["one"])
    shape = onnx.helper.make_tensor("shape", onnx.TensorProto.INT64, [2], [2, 2])
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Reshape", ["text", "shape"], ["square"]),
            node,
            onnx.helper.make_node("Add", ["text", "one"], ["found"]),
        ],
        "lacking",
        [text],
        [found],
        [shape],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, tmp_path / "model.onnx")
    with pytest.raises(ModelFailed, match=r"does not take model\.onnx: Det"):
        parsed_by(tmp_path / "model.onnx")
