"""The files beside the weights of a model folder: both Triton configurations and the CPU flavour's model.py."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Serving:
    """How a model is served."""

    name: str
    card_sha256: str
    most: int  # slices of a batch, max_batch_size
    at_once: int  # slices that the CPU flavour computes together
    threads: int = 2  # of the CPU flavour


def production(serving: Serving) -> str:
    """config.pbtxt: a TensorRT plan on a GPU."""
    preferred = ", ".join(str(size) for size in (serving.most // 2, serving.most) if size)
    return f"""\
# Production flavour: a TensorRT plan, built from the ONNX file where it is served (mricore-node models build).
name: "{serving.name}"
platform: "tensorrt_plan"
max_batch_size: {serving.most}
{_TENSORS}
instance_group [ {{ count: 1 kind: KIND_GPU }} ]
dynamic_batching {{
  preferred_batch_size: [ {preferred} ]
  max_queue_delay_microseconds: 2000
  {_QUEUE}
}}
{_sealed(serving)}
"""


def cpu(serving: Serving) -> str:
    """configs/cpu.pbtxt: ONNX Runtime in the python backend, the same contract."""
    return f"""\
# CPU flavour (tritonserver --model-config-name=cpu): ONNX Runtime in the python backend, the same contract.
name: "{serving.name}"
backend: "python"
max_batch_size: {serving.most}
{_TENSORS}
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
dynamic_batching {{
  max_queue_delay_microseconds: 0
  {_QUEUE}
}}
parameters {{ key: "threads" value: {{ string_value: "{serving.threads}" }} }}
parameters {{ key: "slices_at_once" value: {{ string_value: "{serving.at_once}" }} }}
{_sealed(serving)}
"""


def _sealed(serving: Serving) -> str:
    return f'parameters {{ key: "card_sha256" value: {{ string_value: "{serving.card_sha256}" }} }}'


_TENSORS = """\
input [ { name: "slices" data_type: TYPE_INT32 dims: [ -1, -1 ] } ]
output [ { name: "labels" data_type: TYPE_UINT8 dims: [ -1, -1 ] } ]"""
_QUEUE = "default_queue_policy { timeout_action: REJECT allow_timeout_override: true max_queue_size: 256 }"

MODEL_PY = '''\
"""CPU flavour of the model for Triton's python backend: model.onnx beside this file in ONNX Runtime, nothing else.

Tensors cross the border by DLPack both ways. `as_numpy()` and `Tensor(name, ndarray)` must not be used: built against
NumPy 1, they return wrong values in silence under NumPy 2.
"""

import json
from pathlib import Path

import numpy
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """One instance; Triton calls it with requests of one slice size."""

    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        self.most = int(parameters["slices_at_once"]["string_value"])  # attention needs memory for each
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(parameters["threads"]["string_value"])
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the cores are shared
        folder = Path(args["model_repository"]) / args["model_version"]
        self.session = onnxruntime.InferenceSession(folder / "model.onnx", options, ["CPUExecutionProvider"])

    def execute(self, requests):
        slices = [numpy.from_dlpack(pb_utils.get_input_tensor_by_name(each, "slices")) for each in requests]
        labels = self.label(numpy.concatenate(slices))
        ends = numpy.cumsum([len(each) for each in slices])
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor.from_dlpack("labels", numpy.ascontiguousarray(part))])
            for part in numpy.split(labels, ends[:-1])
        ]

    def label(self, slices):
        """Slices INT32 (N, H, W) to labels UINT8 (N, H, W), a bounded number at a time."""
        starts = range(0, len(slices), self.most)
        parts = [self.session.run(["labels"], {"slices": slices[n : n + self.most]})[0] for n in starts]
        return numpy.concatenate(parts)
'''
"""<version>/model.py of the CPU flavour."""
