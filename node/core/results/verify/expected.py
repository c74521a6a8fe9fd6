"""What a result must agree with: the labels of the model, and its source images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from node.core.card import Card, Encoding

Plane = tuple[str, int | None]  # SOP Instance UID, frame from 1 in a multi-frame image
Bits = NDArray[np.bool_]
OF_THE_STUDY = ("PatientID", "StudyInstanceUID")


@dataclass(frozen=True)
class Expected:
    """The labels, and on which source plane each of their slices lies."""

    labels: NDArray[np.uint8]  # (slices, rows, columns)
    card: Card
    slices: Mapping[Plane, int]
    voxel_ml: float | None  # of the volume's own spacing; None where it is not known

    def of(self, number: int, index: int) -> Bits:
        """The voxels of one segment on one slice."""
        plane: NDArray[np.uint8] = self.labels[index]
        if self.card.encoding is Encoding.BITS:
            return (plane & np.uint8(1 << (number - 1))).astype(np.bool_)
        return np.equal(plane, number)


def shared_attributes(ds: Dataset, sources: Sequence[Dataset], keywords: Sequence[str]) -> Iterator[str]:
    """Padding is all that may differ between the texts; Enhanced MR keeps all of these at its root too."""
    for keyword in keywords:
        if any(_text(source, keyword) != _text(ds, keyword) for source in sources):
            yield f"{keyword} is not that of the source images"


def _text(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword)
    return "" if value is None else str(value).strip(" \0")
