"""What a finished model folder answers on this machine, and whether its plan belongs to it. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from node.adapters.triton import Model, canary
from node.errors import BadConfiguration

PLAN, BUILT = "model.plan", "plan.json"  # in the version's folder: the plan, and what it was built from and on


def answer(onnx: Path, slices: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Labels (N, H, W) of ONNX Runtime for slices (N, H, W), one at a time. Raises BadConfiguration."""
    try:
        session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
        parts = [session.run(["labels"], {"slices": each[None].astype(np.int32)})[0] for each in slices]
    except Exception as fault:  # ONNX Runtime's errors have no common class
        raise BadConfiguration(str(onnx), f"does not run: {str(fault).splitlines()[0][:200]}") from fault
    labels: NDArray[np.uint8] = np.concatenate(parts)
    return labels


def check_canary(model: Model) -> None:
    """Raise ModelFailed unless the weights give the canary's labels in ONNX Runtime."""
    canary.compare(model.card, answer(model.folder / model.card.weights.file, canary.slices()), model.canary)


def check_plan(model: Model) -> str | None:
    """What a plan was built on, None where there is none. Raises BadConfiguration for one of other weights."""
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
    return f"TensorRT {stated.get('tensorrt')} on {stated.get('gpu')}"
