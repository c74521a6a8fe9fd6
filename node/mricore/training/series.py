"""Reading the series that the demonstration model learns from: a folder of DICOM files to one volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset

from node.errors import BadConfiguration


@dataclass(frozen=True)
class Volume:
    """A series as one array, slices in the order of their positions."""

    name: str
    array: NDArray[np.float32]  # (slices, rows, columns)
    spacing: tuple[float, float, float]  # mm between slices, rows, columns


def read_series(folder: Path) -> Volume:
    """Read a classic or enhanced series of one orientation. Raises BadConfiguration when the folder holds none."""
    datasets = [pydicom.dcmread(path) for path in sorted(folder.glob("*")) if path.is_file()]
    datasets = [dataset for dataset in datasets if "PixelData" in dataset]
    if not datasets:
        raise BadConfiguration(str(folder), "holds no DICOM images")
    if "PerFrameFunctionalGroupsSequence" in datasets[0]:
        return _enhanced(folder.name, datasets[0])
    first = datasets[0]
    normal = np.cross(*np.reshape(np.array(first.ImageOrientationPatient, float), (2, 3)))
    placed = sorted(
        (float(normal @ np.array(each.ImagePositionPatient, float)), number) for number, each in enumerate(datasets)
    )
    array = np.stack([datasets[number].pixel_array.astype(np.float32) for _, number in placed])
    return Volume(folder.name, array, _spacing([at for at, _ in placed], first.PixelSpacing))


def _enhanced(name: str, dataset: Dataset) -> Volume:
    shared, frames = dataset.SharedFunctionalGroupsSequence[0], dataset.PerFrameFunctionalGroupsSequence
    groups = [{**_groups(shared), **_groups(frame)} for frame in frames]
    orientation = groups[0]["PlaneOrientationSequence"][0].ImageOrientationPatient
    normal = np.cross(*np.reshape(np.array(orientation, float), (2, 3)))
    at = [float(normal @ np.array(group["PlanePositionSequence"][0].ImagePositionPatient, float)) for group in groups]
    order = np.argsort(at)
    spacing = groups[0]["PixelMeasuresSequence"][0].PixelSpacing
    array = dataset.pixel_array.astype(np.float32)[order]
    return Volume(name, array, _spacing([at[number] for number in order], spacing))


def _groups(item: Dataset) -> dict[str, pydicom.Sequence]:
    return {element.keyword: element.value for element in item if element.VR == "SQ"}


def _spacing(places: list[float], pixel_spacing: Sequence[float]) -> tuple[float, float, float]:
    between = float(np.median(np.diff(places))) if len(places) > 1 else 1.0
    return between, float(pixel_spacing[0]), float(pixel_spacing[1])
