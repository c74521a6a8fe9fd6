"""What the demonstration model learns from, and what it is only tested on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node.core import phantom
from node.core.phantom import Grid
from node.mricore.segmenter import resize
from node.mricore.training.labels import BrainBand, Ellipsoid, brain_mask, head_mask
from node.mricore.training.series import read_series


@dataclass(frozen=True)
class Source:
    """A public series, how to label it, and which slices are labelled for training."""

    series: str  # folder below the data folder
    band: BrainBand
    head_threshold: float
    every: int  # every n-th slice is for training, the others are held out


SOURCES = (
    Source(
        "siemens-t1-sag-hfs",
        BrainBand(
            low=0.55,
            high=1.5,
            erode=2.5,
            close=6.0,
            within=(
                Ellipsoid((17, 122, 120), (12.6, 57, 88)),  # cerebrum
                Ellipsoid((17, 140, 163), (11.5, 40, 51)),  # occipital lobes
                Ellipsoid((8.5, 155, 112), (4.5, 34, 36)),  # temporal lobes
                Ellipsoid((25.5, 155, 112), (4.5, 34, 36)),
                Ellipsoid((17, 175, 155), (11.5, 40, 43)),  # cerebellum
                Ellipsoid((17, 190, 132), (2.2, 32, 14)),  # brain stem
            ),
        ),
        head_threshold=0.10,
        every=3,
    ),
    Source(
        "studyforrest-t1-ax-defaced",
        BrainBand(low=0.42, high=1.7, erode=2.5, close=6.0, smooth=0.5),
        head_threshold=0.05,
        every=8,
    ),
    Source(
        "ge-pd-ax-brain",
        BrainBand(
            low=0.72,
            high=1.45,
            erode=4.0,
            close=6.0,
            within=(
                Ellipsoid((12, 124, 128), (8.5, 95, 78)),  # cerebrum, without the orbits
                Ellipsoid((7.5, 120, 128), (3.0, 50, 80)),  # temporal lobes
                Ellipsoid((5, 165, 128), (4.2, 56, 66)),  # cerebellum
                Ellipsoid((15, 150, 126), (5.5, 80, 72)),  # vertex
            ),
        ),
        head_threshold=0.10,
        every=2,
    ),
)


@dataclass(frozen=True)
class Slices:
    """Labelled slices of one size: image (N, 1, S, S) as read, truth (N, 2, S, S) of head and brain in 0..1."""

    name: str
    image: Tensor
    truth: Tensor

    def pick(self, numbers: Iterable[int], name: str) -> Slices:
        """Some of the slices."""
        chosen = list(numbers)
        return Slices(name, self.image[chosen], self.truth[chosen])


def labelled(source: Source, data: Path, size: int) -> Slices:
    """Read a series and label it."""
    volume = read_series(data / source.series)
    head = head_mask(volume, source.head_threshold)
    return squared(volume.name, volume.array, head, brain_mask(volume, head, source.band), size)


def squared(
    name: str, array: NDArray[np.float32], head: NDArray[np.bool_], brain: NDArray[np.bool_], size: int
) -> Slices:
    """Bring image and truth (slices, rows, columns) to squares."""
    image = torch.from_numpy(array.astype(np.float32))[:, None]
    truth = torch.from_numpy(np.stack([head, brain], axis=1).astype(np.float32))
    return Slices(name, resize(image, size, size), (resize(truth, size, size) > 0.5).float())


def split(slices: Slices, every: int) -> tuple[Slices, Slices]:
    """Every n-th slice for training, the others held out."""
    numbers = range(len(slices.image))
    start = every // 2
    return (
        slices.pick((n for n in numbers if n % every == start), slices.name),
        slices.pick((n for n in numbers if n % every != start), slices.name),
    )


def phantoms(size: int) -> Slices:
    """Our own head, in the three planes, each with other folds."""
    grids: tuple[Grid, ...] = (phantom.AXIAL, phantom.SAGITTAL, phantom.CORONAL)
    parts = []
    for seed, grid in enumerate((*grids, phantom.AXIAL), start=11):
        made = phantom.voxels(grid, seed=seed)
        parts.append(squared("phantom", made.array.astype(np.float32), made.head, made.brain, size))
    return Slices("phantom", torch.cat([part.image for part in parts]), torch.cat([part.truth for part in parts]))
