"""Reading a label tensor: which voxels belong to which segment, in both encodings of a model card."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.core.card import Card, Encoding
from node.core.volume import Volume
from node.errors import ModelFailed

Labels = NDArray[np.uint8]  # (slices, rows, columns) in volume order
Mask = NDArray[np.bool_]


def check_labels(volume: Volume, labels: NDArray[Any], card: Card) -> Labels:
    """The labels, if they are what the card promises; raises ModelFailed where they are not."""
    promised = (len(volume.slices), volume.rows, volume.columns)
    if labels.dtype != np.uint8 or labels.shape != promised:
        raise ModelFailed(
            f"Model {card.name} answered {labels.dtype} labels of shape {labels.shape}; "
            f"its card promises uint8 of the volume's shape {promised}"
        )
    count = len(card.segments)
    most = (1 << count) - 1 if card.encoding is Encoding.BITS else count
    if labels.size and (largest := int(labels.max())) > most:
        raise ModelFailed(f"Model {card.name} answered the label {largest}; its card describes {count} segments")
    return labels


def check_probabilities(volume: Volume, probabilities: NDArray[Any], card: Card) -> NDArray[np.float32]:
    """Probabilities (segments, slices, rows, columns) from 0 to 1; raises ModelFailed where they are not that."""
    promised = (len(card.segments), len(volume.slices), volume.rows, volume.columns)
    if probabilities.dtype != np.float32 or probabilities.shape != promised:
        raise ModelFailed(
            f"Model {card.name} answered {probabilities.dtype} probabilities of shape {probabilities.shape}; "
            f"float32 of shape {promised} are needed"
        )
    if not (probabilities.min() >= 0 and probabilities.max() <= 1):  # NaN is neither
        raise ModelFailed(f"Model {card.name} answered probabilities that are not from 0 to 1")
    return probabilities


def mask_of(labels: Labels, number: int, encoding: Encoding) -> Mask:
    """True where a voxel belongs to the segment of that number."""
    if encoding is Encoding.BITS:
        return np.bitwise_and(labels, np.uint8(1 << (number - 1))).astype(np.bool_)
    return np.equal(labels, number)


def without_overlap(labels: Labels, card: Card) -> Labels | None:
    """The labels as segment numbers, 0 for background; None where a voxel belongs to more than one segment."""
    if card.encoding is Encoding.LABELMAP:
        return labels
    if (labels & (labels - np.uint8(1))).any():  # clears the lowest bit: what is left was a second one
        return None
    numbers = np.array([value.bit_length() for value in range(256)], np.uint8)
    return numbers[labels]
