"""The canary: slices of a head that nobody has, whose labels are known. A server that marks them is a working one.

Being ready proves little: Triton calls a model ready whose process has died, and a server with the wrong NumPy answers
in the right shape with wrong values. The slices are made anew on every machine from formulas and a fixed seed.
Floating-point libraries may differ in the last bit, so a pixel at a border may flip from one processor to another:
labels are compared by the Dice coefficient of each segment, not byte by byte.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.core import phantom
from node.core.card import Card, Encoding
from node.errors import ModelFailed

GRID = phantom.Grid(slices=3, rows=208, columns=240, slice_spacing=27.0)  # not square: a transposed answer shows
AGREEMENT = 0.999  # the least Dice coefficient per segment


def slices() -> NDArray[np.uint16]:
    """The canary slices (3, 208, 240)."""
    return phantom.voxels(GRID, seed=3).array


def compare(card: Card, labels: NDArray[np.uint8], expected: NDArray[np.uint8]) -> None:
    """Raise ModelFailed unless every segment of the labels (N, H, W) agrees with what is expected."""
    for segment in card.segments:
        dice = _dice(_marked(card, segment.number, labels), _marked(card, segment.number, expected))
        if dice < AGREEMENT:
            raise ModelFailed(
                f"{card.name}: the canary gave {segment.label} with a Dice coefficient of {dice:.4f} to the expected "
                "labels; the server runs another model or computes wrongly"
            )


def _marked(card: Card, number: int, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.equal(labels >> (number - 1) & 1, 1) if card.encoding == Encoding.BITS else np.equal(labels, number)


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0
