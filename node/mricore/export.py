"""The trained network as ONNX: the one file that every flavour of the Triton model is made of."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from node.mricore.segmenter import Segmenter

OPSET = 20


def export(segmenter: Segmenter, path: Path) -> None:
    """Write the model: `slices` INT32 [N, H, W] to `labels` UINT8 [N, H, W], all three free.

    INT32 because TensorRT knows no UINT16; the network itself is float32.
    """
    example = torch.randint(0, 4000, (2, 200, 240), dtype=torch.int32)
    free = dict.fromkeys(range(3), torch.export.Dim.DYNAMIC)
    program = torch.onnx.export(
        segmenter.eval(),
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=["slices"],
        output_names=["labels"],
        dynamic_shapes=(free,),
        verbose=False,
    )
    cast("torch.onnx.ONNXProgram", program).save(path)
    _name_axes(path)
    onnx.checker.check_model(path, full_check=True)


def _name_axes(path: Path) -> None:
    """Give the free axes the names N, H, W, and drop the exporter's paths and notes."""
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, "NHW", strict=True):
            axis.Clear()
            axis.dim_param = name
    del model.graph.value_info[:]
    del model.metadata_props[:], model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.save(model, path)


def parity(segmenter: Segmenter, path: Path, slices: NDArray[np.int32]) -> float:
    """The share of pixels (N, H, W) on which ONNX Runtime and torch agree."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (answer,) = session.run(["labels"], {"slices": slices})
    with torch.inference_mode():
        wanted = segmenter(torch.from_numpy(slices)).numpy()
    return float((answer == wanted).mean())
