"""The files beside the weights of a model folder: both Triton configurations and the CPU flavour's model.py."""

from __future__ import annotations

from dataclasses import dataclass

from node.adapters.triton.contract import Tensor


@dataclass(frozen=True)
class Serving:
    """How a model is served."""

    name: str
    card_sha256: str
    most: int  # slices of a batch, max_batch_size
    at_once: int  # slices that the CPU flavour computes together
    takes: tuple[Tensor, ...]
    gives: tuple[Tensor, ...]
    threads: int = 2  # of the CPU flavour


def production(serving: Serving) -> str:
    """config.pbtxt: a TensorRT plan on a GPU."""
    preferred = ", ".join(str(size) for size in (serving.most // 2, serving.most) if size)
    return f"""\
# Production flavour: a TensorRT plan, built from the ONNX file where it is served (mricore-node models build).
name: "{serving.name}"
platform: "tensorrt_plan"
max_batch_size: {serving.most}
{_tensors(serving)}
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
{_tensors(serving)}
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


def _tensors(serving: Serving) -> str:
    lines = [f"input [ {_tensor(each)} ]" for each in serving.takes]
    return "\n".join(lines + [f"output [ {_tensor(each)} ]" for each in serving.gives])


def _tensor(tensor: Tensor) -> str:
    dims = ", ".join(map(str, tensor.dims))
    return f'{{ name: "{tensor.name}" data_type: TYPE_{tensor.datatype} dims: [ {dims} ] }}'


def ensemble(name: str, encoder: str, head: Serving, given: tuple[Tensor, ...]) -> str:
    """config.pbtxt of an ensemble: slices through the shared encoder into a head, for clients other than the node."""
    passed = [tensor.name for tensor in head.takes if tensor.name != "slices"]
    inner = "".join(f'\n      output_map {{ key: "{each}" value: "{each}" }}' for each in passed)
    takes = "".join(f'\n      input_map {{ key: "{tensor.name}" value: "{tensor.name}" }}' for tensor in head.takes)
    gives = "".join(f'\n      output_map {{ key: "{tensor.name}" value: "{tensor.name}" }}' for tensor in head.gives)
    slices = next(tensor for tensor in given if tensor.name == "slices")
    tensors = _tensors(Serving(name, "", head.most, head.at_once, (slices,), head.gives))
    return f"""\
# The head {head.name} behind its encoder, as one model. Triton runs the encoder anew for each such ensemble; the node
# asks the encoder once for all heads of a series and does not use this.
name: "{name}"
platform: "ensemble"
max_batch_size: {head.most}
{tensors}
ensemble_scheduling {{
  step [
    {{
      model_name: "{encoder}"
      model_version: -1
      input_map {{ key: "slices" value: "slices" }}{inner}
    }},
    {{
      model_name: "{head.name}"
      model_version: -1{takes}{gives}
    }}
  ]
}}
"""


_QUEUE = "default_queue_policy { timeout_action: REJECT allow_timeout_override: true max_queue_size: 256 }"

MODEL_PY = '''\
"""CPU flavour of a model for Triton's python backend: model.onnx beside this file in ONNX Runtime, nothing else.

Tensors cross the border by DLPack both ways. `as_numpy()` and `Tensor(name, ndarray)` must not be used: built against
NumPy 1, they return wrong values in silence under NumPy 2. Only outputs that somebody asked for are computed, and
nothing more once nobody waits for any of the requests.
"""

import json
from pathlib import Path

import numpy
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """One instance; Triton calls it with requests of one slice size."""

    def initialize(self, args):
        config = json.loads(args["model_config"])
        parameters = config["parameters"]
        self.takes = [each["name"] for each in config["input"]]
        self.gives = [each["name"] for each in config["output"]]
        self.most = int(parameters["slices_at_once"]["string_value"])  # attention needs memory for each
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(parameters["threads"]["string_value"])
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the cores are shared
        folder = Path(args["model_repository"]) / args["model_version"]
        self.session = onnxruntime.InferenceSession(folder / "model.onnx", options, ["CPUExecutionProvider"])

    def execute(self, requests):
        given = [
            [numpy.from_dlpack(pb_utils.get_input_tensor_by_name(each, name)) for name in self.takes]
            for each in requests
        ]
        asked = {name for each in requests for name in each.requested_output_names()}
        names = [name for name in self.gives if name in asked]
        answers = self.answer(names, [numpy.concatenate(parts) for parts in zip(*given, strict=True)], requests)
        if answers is None:
            gone = pb_utils.TritonError("nobody waits for it", pb_utils.TritonError.CANCELLED)
            return [pb_utils.InferenceResponse(error=gone) for _ in requests]
        ends = numpy.cumsum([len(each[0]) for each in given])[:-1]
        split = [numpy.split(answer, ends) for answer in answers]
        return [
            pb_utils.InferenceResponse(
                [
                    pb_utils.Tensor.from_dlpack(name, numpy.ascontiguousarray(part))
                    for name, part in zip(names, parts, strict=True)
                ]
            )
            for parts in zip(*split, strict=True)
        ]

    def answer(self, names, inputs, requests):
        """Outputs by name for inputs (N, ...), a bounded number of slices at a time; None when nobody waits."""
        given = dict(zip(self.takes, inputs, strict=True))
        parts = []
        for n in range(0, len(inputs[0]), self.most):
            if all(each.is_cancelled() for each in requests):
                return None
            parts.append(self.session.run(names, {name: each[n : n + self.most] for name, each in given.items()}))
        return [numpy.concatenate(each) for each in zip(*parts, strict=True)]
'''
"""<version>/model.py of the CPU flavour."""
