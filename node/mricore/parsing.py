"""Whether a TensorRT takes a graph, asked without a GPU: TensorRT-RTX from PyPI (the extra `trt`) parses it.

RTX is a sibling of the TensorRT that trtexec builds plans with and shares its ONNX parser, so an operator that is
lacking, or of a type or rank that it does not take, is found here. Its engines are not for Triton, and none is built:
whether a plan computes what it should, the canary tells where it is served.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from node.errors import ModelFailed

PACKAGE = "tensorrt_rtx"


def parsed_by(onnx: Path) -> str:
    """The parser that takes the graph, with its version; empty where none is installed.

    Raises ModelFailed with the operator that it refuses.
    """
    try:
        trt: Any = importlib.import_module(PACKAGE)
    except ImportError:
        return ""
    log = trt.Logger(trt.Logger.INTERNAL_ERROR)
    builder = trt.Builder(log)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx)):
        faults = [parser.get_error(number) for number in range(parser.num_errors)]
        said = "; ".join(f"{each.node_operator() or 'the graph'}: {each.desc().splitlines()[0]}" for each in faults[:3])
        raise ModelFailed(f"TensorRT-RTX {trt.__version__} does not take {onnx.name}: {said}")
    return f"TensorRT-RTX {trt.__version__}"
