"""What a finished model folder answers on this machine, and whether its plan belongs to it. Needs no torch."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from node.adapters.triton import Model, canary, read_model
from node.adapters.triton.contract import SLICES, slices_of
from node.errors import BadConfiguration

PLAN, BUILT = "model.plan", "plan.json"  # in the version's folder: the plan, and what it was built from and on


def answer(model: Model, slices: NDArray[np.uint16], beside: Path | None = None) -> NDArray[Any]:
    """The model's first output in ONNX Runtime for slices (N, H, W), one at a time. Raises BadConfiguration.

    `beside`: the repository in which a shared head's encoder lies; the folder of the model's, unless it is said.
    """
    given = {SLICES.name: slices.astype(np.float32 if model.takes_floats else np.int32)}
    shared = model.card.shared
    if shared is not None:
        encoder = read_model((beside or model.folder.parent) / shared.encoder)
        given = {**given, **_run(encoder, given)}
    return _first(model, given)


def _first(model: Model, given: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    return next(iter(_run(model, given).values()))


def _run(model: Model, given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Outputs by name."""
    onnx = model.folder / model.card.weights.file
    takes = [tensor.name for tensor in model.contract.inputs]
    gives = [tensor.name for tensor in model.contract.outputs]
    try:
        session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
        parts = [
            session.run(gives, {name: given[name][n : n + 1] for name in takes}) for n in range(len(given[takes[0]]))
        ]
    except Exception as fault:  # ONNX Runtime's errors have no common class
        raise BadConfiguration(str(onnx), f"does not run: {str(fault).splitlines()[0][:200]}") from fault
    return {name: np.concatenate(each) for name, each in zip(gives, zip(*parts, strict=True), strict=True)}


def check_canary(model: Model, beside: Path | None = None) -> None:
    """Raise ModelFailed unless the weights give what the canary must in ONNX Runtime."""
    canary.compare(model.card, answer_to_canary(model, beside), model.canary)


def answer_to_canary(model: Model, beside: Path | None = None) -> NDArray[Any]:
    """What the weights give for the canary, in ONNX Runtime: as `answer`; of each input its own canary slices."""
    if not model.card.inputs:
        return answer(model, canary.slices(), beside)
    kind = np.float32 if model.takes_floats else np.int32
    return _first(
        model,
        {slices_of(one.name).name: canary.slices(n).astype(kind) for n, one in enumerate(model.card.inputs)},
    )


def check_plan(model: Model, triton: str = "", gpus: Collection[str] = ()) -> str | None:
    """What a plan was built on, None where there is none.

    `triton` is the version of the server that is to load it, `gpus` the names of this machine's; what is not known is
    not compared. Raises BadConfiguration for a plan of other weights, for another server, or for another GPU.
    """
    folder = model.folder / model.card.version
    if not (folder / PLAN).exists():
        return None
    again = "Build it again: mricore-node models build"
    try:
        built = json.loads((folder / BUILT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as absent:
        raise BadConfiguration(str(folder / PLAN), f"has no readable {BUILT} beside it", again) from absent
    if not isinstance(built, Mapping) or built.get("weights_sha256") != model.card.weights.sha256:
        raise BadConfiguration(str(folder / PLAN), "was built from other weights than the card's", again)
    stated = cast("Mapping[str, object]", built)
    for key, there in (("triton", (triton,) if triton else ()), ("gpu", gpus)):
        if there and stated.get(key, "unknown") not in (*there, "unknown"):
            what = f"was built for {key} {stated[key]}, here is {', '.join(sorted(set(there)))}"
            raise BadConfiguration(str(folder / PLAN), what, again)
    if stated.get("max_batch_size", model.contract.max_batch_size) != model.contract.max_batch_size:
        what = f"was built for batches of {stated['max_batch_size']}, config.pbtxt says {model.contract.max_batch_size}"
        raise BadConfiguration(str(folder / PLAN), what, again)
    return f"TensorRT {stated.get('tensorrt')} on {stated.get('gpu')}, {stated.get('precision', 'tf32')}"


def gpus() -> tuple[str, ...]:
    """The names of this machine's GPUs; none where there is no nvidia-smi, or it fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    asked = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in told.stdout.splitlines() if line.strip())
