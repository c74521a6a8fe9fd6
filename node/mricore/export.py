"""The trained network as ONNX: the one file that every flavour of the Triton model is made of."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from node.mricore.segmenter import Segmenter

OPSET = 20


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime and torch lie apart on the same slices.

    On a single slice a network may amplify the last bit of a float ten thousandfold, and then no two engines agree
    closely, nor does torch with itself on another number of threads. A wrong graph is wrong on most slices.
    """

    errors: tuple[float, ...]  # of each slice's logits: norm of the difference over the norm of torch's
    labels: float  # share of pixels with the same label
    answer: NDArray[np.uint8]  # torch's labels (N, H, W)

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


class _Both(nn.Module):
    """The segmenter with its logits beside the labels."""

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, slices: Tensor) -> tuple[Tensor, Tensor]:
        return self.segmenter.answer(slices)


def export(segmenter: Segmenter, path: Path) -> None:
    """Write the model: `slices` INT32 [N, H, W] to `labels` UINT8 [N, H, W], all three free.

    INT32 because TensorRT knows no UINT16; the network itself is float32.
    """
    trace(segmenter, path)
    keep_labels(path)


def trace(segmenter: Segmenter, path: Path) -> None:
    """Write the model with a second output, `logits` FP32 [N, classes, H, W], for `compare`."""
    example = torch.randint(0, 4000, (2, 200, 240), dtype=torch.int32)
    free = dict.fromkeys(range(3), torch.export.Dim.DYNAMIC)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations inside torch
        logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)  # of torchvision
        program = torch.onnx.export(
            _Both(segmenter).eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["slices"],
            output_names=["labels", "logits"],
            dynamic_shapes=(free,),
            verbose=False,
        )
        cast("torch.onnx.ONNXProgram", program).save(path)


def keep_labels(path: Path) -> None:
    """Drop the logits, give the free axes the names N, H, W, drop the exporter's paths and notes, and check."""
    model = onnx.load(path)
    del model.graph.output[1:]
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
    onnx.checker.check_model(path, full_check=True)


def compare(segmenter: Segmenter, path: Path, slices: NDArray[np.int32]) -> Parity:
    """Ask torch and a traced file for the slices (N, H, W), one at a time: attention needs memory for each."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    errors, same, answers = [], 0, []
    for part in (slices[n : n + 1] for n in range(len(slices))):
        labels, logits = session.run(["labels", "logits"], {"slices": part})
        with torch.inference_mode():
            wanted_labels, wanted = (each.numpy() for each in segmenter.answer(torch.from_numpy(part)))
        errors.append(float(np.linalg.norm(logits - wanted) / max(float(np.linalg.norm(wanted)), 1e-30)))
        same += int((labels == wanted_labels).sum())
        answers.append(wanted_labels)
    return Parity(tuple(errors), same / slices.size, np.concatenate(answers))


def parity(segmenter: Segmenter, path: Path, slices: NDArray[np.int32]) -> float:
    """The share of pixels (N, H, W) on which the finished file and torch agree."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (answer,) = session.run(["labels"], {"slices": slices})
    with torch.inference_mode():
        wanted = segmenter(torch.from_numpy(slices)).numpy()
    return float((answer == wanted).mean())
