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
