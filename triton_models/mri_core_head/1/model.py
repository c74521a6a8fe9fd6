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
