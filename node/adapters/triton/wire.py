"""Arrays as they go over the wire and come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, InferResult

from node.adapters.triton.contract import FEATURES, OF_INPUT, SLICES
from node.errors import ModelFailed

Arrays = Mapping[str, NDArray[Any]]  # by the name of the tensor, as many slices in each
_WIDENED = {np.dtype(np.uint16): np.int32}  # TensorRT knows no UINT16; all others go as they are
_DATATYPES = {np.dtype(np.float32): "FP32", np.dtype(np.int32): "INT32"}


def count_of(model: str, given: Arrays) -> int:
    """How many slices there are. Raises ModelFailed for arrays that are no input of any model."""
    counts = {len(each) for each in given.values() if each.ndim}
    for name, each in given.items():
        axes = 3 if name.startswith(OF_INPUT) else {SLICES.name: 3, FEATURES: 4}.get(name, 2)
        if each.ndim != axes or not each.size or each.dtype not in {*_WIDENED, *_DATATYPES} or len(counts) != 1:
            raise ModelFailed(f"{model}: {name} cannot be {each.dtype} {each.shape}")
        if each.dtype.kind == "f" and not np.isfinite(each).all():
            raise ModelFailed(f"{model}: {name} holds values that are not finite")
    return counts.pop()


def wired(array: NDArray[Any]) -> NDArray[Any]:
    """As it goes over the wire."""
    return array.astype(_WIDENED[array.dtype]) if array.dtype in _WIDENED else np.ascontiguousarray(array)


def sent(given: Arrays) -> list[InferInput]:
    """The inputs of a request."""
    return [_input(name, wired(each)) for name, each in given.items()]


def _input(name: str, array: NDArray[Any]) -> InferInput:
    made = InferInput(name, array.shape, _DATATYPES[array.dtype])
    made.set_data_from_numpy(array)
    return made


def came_back(model: str, names: Sequence[str], count: int, answer: InferResult | None) -> dict[str, NDArray[Any]]:
    """What was asked for, one for each slice. Raises ModelFailed."""
    found = {name: answer.as_numpy(name) if answer else None for name in names}
    for name, each in found.items():
        if each is None or each.ndim < 1 or len(each) != count:
            said = "nothing" if each is None else f"{each.dtype} {each.shape}"
            raise ModelFailed(f"{model}: {name} for {count} slices is {said}")
    return {name: np.asarray(each) for name, each in found.items()}
