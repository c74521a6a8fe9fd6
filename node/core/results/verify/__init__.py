"""A second look at a result before it leaves, by a path that shares nothing with the one that made it.

The file is read back with pydicom alone. What it says of the source images and of the labels must be so. Differences
are sentences for people; no sentence is the good answer.

    segmentation   every voxel of a BINARY, LABELMAP or FRACTIONAL SEG, and where it lies
    drawings       outlines of an SR and a presentation state, colours of an overlay, and the volumes that an SR tells
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from node.core.card import Card
from node.core.results.verify import drawings, segmentation
from node.core.results.verify.expected import OF_THE_STUDY, Expected, shared_attributes
from node.core.volume import Volume

__all__ = ["verify", "verify_files"]


def verify(
    content: bytes, sources: Sequence[Dataset], volume: Volume, labels: NDArray[np.uint8], card: Card
) -> tuple[str, ...]:
    """Differences between a result and the labels (slices, rows, columns) that it was made of.

    Everything that `verify_files` looks at, and every voxel of every segment of the card as far as the form holds them.
    A FRACTIONAL SEG of probabilities is compared with labels of at least one half.
    """
    slices = {(plane.sop_instance_uid, plane.frame): index for index, plane in enumerate(volume.slices)}
    area, depth = volume.pixel_spacing[0] * volume.pixel_spacing[1], volume.slice_spacing
    return _compare(content, sources, Expected(labels, card, slices, area * depth / 1000 if depth else None))


def verify_files(content: bytes, sources: Sequence[Dataset]) -> tuple[str, ...]:
    """Differences between a result and its source images: patient, study, what it refers to; of a SEG also frame of
    reference, matrix, and for every frame the position, orientation and spacing of the source plane that it names."""
    return _compare(content, sources, None)


def _compare(content: bytes, sources: Sequence[Dataset], labels: Expected | None) -> tuple[str, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of illegal values in headers, which are not judged here
        try:
            ds = dcmread(BytesIO(content))
            if ds.get("Modality") == "SEG":
                return segmentation.differences(ds, sources, labels)
            general = tuple(shared_attributes(ds, sources, OF_THE_STUDY))
            return general or tuple(drawings.differences(ds, sources, labels))
        except InvalidDicomError:
            return ("The file is not a DICOM file",)
        except (AttributeError, LookupError, TypeError, ValueError):
            return ("The file or one of its source images lacks what such a result or an image must have",)
