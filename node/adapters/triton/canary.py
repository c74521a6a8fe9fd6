"""The canary: slices of a head that nobody has, whose labels are known. A server that marks them is a working one.

Being ready proves little: Triton calls a model ready whose process has died, and a server with the wrong NumPy answers
in the right shape with wrong values. The slices are made anew on every machine from formulas and a fixed seed.
Floating-point libraries may differ in the last bit, so a pixel at a border may flip from one processor to another:
labels are compared by the Dice coefficient of each segment, probabilities and vectors by their distance.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.core import phantom
from node.core.card import Card, Encoding, Kind
from node.errors import ModelFailed

GRID = phantom.Grid(slices=3, rows=208, columns=240, slice_spacing=27.0)  # not square: a transposed answer shows
AGREEMENT = 0.999  # the least Dice coefficient per segment, and the least cosine of two vectors
CERTAINTY = 0.02  # the most by which a probability may differ: fp16 plans move them by some thousandths


def slices(number: int = 0) -> NDArray[np.uint16]:
    """The canary slices (3, 208, 240). Those of a further input, by its number, are darker where the first are bright
    and lie a few columns aside, so that inputs that were mistaken for each other show."""
    first = _first().copy()
    return first if number == 0 else np.roll((first.max() - first) // np.uint16(number), 4 * number, axis=2)


@cache  # asked for every second while a server is down
def _first() -> NDArray[np.uint16]:
    return phantom.voxels(GRID, seed=3).array


def compare(card: Card, answer: NDArray[Any], expected: NDArray[Any]) -> None:
    """Raise ModelFailed unless the model's first output agrees with what is expected, slice by slice."""
    if answer.shape != expected.shape:
        raise ModelFailed(f"{card.name}: the canary gave an answer of shape {answer.shape}, not {expected.shape}")
    if card.kind is Kind.SEGMENTATION:
        _compare_labels(card, answer, expected)
    elif card.kind is Kind.CLASSIFICATION:
        off = float(np.abs(answer - expected).max())
        if not off <= CERTAINTY:
            raise ModelFailed(f"{card.name}: the canary gave probabilities that are {off:.3f} off; {_ANOTHER}")
    else:
        cosine = _cosine(answer, expected)
        if not cosine >= AGREEMENT:
            raise ModelFailed(f"{card.name}: the canary gave a vector with a cosine of {cosine:.4f}; {_ANOTHER}")


_ANOTHER = "the server runs another model or computes wrongly"


def _compare_labels(card: Card, labels: NDArray[Any], expected: NDArray[Any]) -> None:
    for segment in card.segments:
        dice = _dice(_marked(card, segment.number, labels), _marked(card, segment.number, expected))
        if dice < AGREEMENT:
            raise ModelFailed(
                f"{card.name}: the canary gave {segment.label} with a Dice coefficient of {dice:.4f} to the expected "
                f"labels; {_ANOTHER}"
            )


def _cosine(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The least of all slices."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(1) / np.maximum(norms, 1e-30)).min())


def _marked(card: Card, number: int, labels: NDArray[Any]) -> NDArray[np.bool_]:
    bits = card.encoding == Encoding.BITS
    return np.asarray((labels >> (number - 1) & 1) == 1 if bits else labels == number, np.bool_)


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0
