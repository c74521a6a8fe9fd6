"""A network as ONNX: the one file that every flavour of the Triton model is made of.

Opset 20, all free axes symbolic, INT32 or FP32 slices (TensorRT knows no UINT16), no operator that TensorRT lacks.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from node.mricore.graphs import LOGITS, Graph, Segmentation
from node.mricore.segmenter import Segmenter

OPSET = 20
AXES = {
    "slices": "NHW",
    "labels": "NHW",
    "probabilities": "NCHW",
    "embedding": "ND",
    "answers": "NA",
    "features": "NCRS",  # rows and columns of the grid
    LOGITS: "NCHW",
}
"""Tensor → its axes; the batch is free everywhere, H and W are where they occur."""

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime and torch lie apart on the same slices.

    On a single slice a network may amplify the last bit of a float ten thousandfold, and then no two engines agree
    closely, nor does torch with itself on another number of threads. A wrong graph is wrong on most slices.
    """

    errors: tuple[float, ...]  # of each slice's measured output: norm of the difference over the norm of torch's
    labels: float  # share of pixels with the same label; 1 where the model gives no labels
    answers: Arrays  # torch's, by the name of the output

    @property
    def typical(self) -> float:
        """The median slice's relative error."""
        return float(np.median(self.errors))

    @property
    def worst(self) -> float:
        """The worst slice's relative error."""
        return float(np.max(self.errors))

    def within(self, tolerance: float) -> bool:
        """Whether the median slice is within the tolerance, and no slice beyond ten times that."""
        return self.typical <= tolerance and self.worst <= 10 * tolerance


def export(segmenter: Segmenter, path: Path) -> None:
    """Write a segmentation model: `slices` INT32 [N, H, W] to `labels`, `probabilities` and `embedding`."""
    graph = Segmentation(segmenter)
    trace(graph, path)
    finish(graph, path)


def trace(
    graph: Graph, path: Path, *, floats: bool = False, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> None:
    """Write the model with its measured output, for `compare`. `shapes`: of features or a vector without the batch."""
    examples = tuple(_example(name, floats=floats, shapes=shapes or {}) for name in graph.takes)
    free = tuple(_free(AXES[name]) for name in graph.takes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations inside torch
        logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)  # of torchvision
        program = torch.onnx.export(
            graph.eval(),
            examples,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(graph.takes),
            output_names=_traced(graph),
            dynamic_shapes=free,
            verbose=False,
        )
        cast("torch.onnx.ONNXProgram", program).save(path)


def _example(name: str, *, floats: bool, shapes: Mapping[str, tuple[int, ...]]) -> Tensor:
    if name == "slices":
        slices = torch.randint(0, 4000, (2, 200, 240), dtype=torch.int32)
        return slices.to(torch.float32) if floats else slices
    return torch.randn(2, *shapes[name])


def _free(axes: str) -> dict[int, Any]:
    return {number: torch.export.Dim.DYNAMIC for number, axis in enumerate(axes) if axis in "NHW"}


def _traced(graph: Graph) -> list[str]:
    return [*graph.gives, *([] if graph.measured in graph.gives else [graph.measured])]


def finish(graph: Graph, path: Path) -> None:
    """Drop what is no answer, name the free axes N, H and W, drop the exporter's paths and notes, and check."""
    model = onnx.load(path)
    del model.graph.output[len(graph.gives) :]
    for value in (*model.graph.input, *model.graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, AXES[value.name], strict=True):
            if name in "NHW":
                axis.Clear()
                axis.dim_param = name
    del model.graph.value_info[:]
    del model.metadata_props[:], model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)


def compare(graph: Graph, path: Path, given: Arrays) -> Parity:
    """Ask torch and a traced file for each slice by itself: attention needs memory for each.

    `given`: what the graph takes, by name, with the same number of slices.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names, errors, same, answers = _traced(graph), [], [], []
    for number in range(len(given[graph.takes[0]])):
        part = {name: given[name][number : number + 1] for name in graph.takes}
        found = dict(zip(names, session.run(names, part), strict=True))
        wanted = asked(graph, part)
        errors.append(_relative(found[graph.measured], wanted[graph.measured]))
        same.append(float((found["labels"] == wanted["labels"]).mean()) if "labels" in graph.gives else 1.0)
        answers.append(wanted)
    return Parity(
        tuple(errors), float(np.mean(same)), {name: np.concatenate([each[name] for each in answers]) for name in names}
    )


def asked(graph: Graph, part: Arrays) -> dict[str, NDArray[Any]]:
    """Torch's outputs, by name."""
    with torch.inference_mode():
        outputs = graph(*(torch.from_numpy(part[name]) for name in graph.takes))
    return {name: each.numpy() for name, each in zip(_traced(graph), outputs, strict=True)}


def _relative(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    exact = wanted.astype(np.float64)
    return float(np.linalg.norm(found - exact) / max(float(np.linalg.norm(exact)), 1e-30))


def parity(segmenter: Segmenter, path: Path, slices: NDArray[np.int32]) -> float:
    """The share of pixels (N, H, W) on which the finished file and torch agree."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (answer,) = session.run(["labels"], {"slices": slices})
    with torch.inference_mode():
        wanted = segmenter(torch.from_numpy(slices)).numpy()
    return float((answer == wanted).mean())
