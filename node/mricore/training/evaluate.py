"""Honest figures: pooled Dice on slices and series that were not trained on, and what happens to other body parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import torch
from numpy.typing import NDArray

from node.core import phantom
from node.mricore.segmenter import Segmenter
from node.mricore.training.labels import BrainBand, Ellipsoid, brain_mask, closed, head_mask
from node.mricore.training.series import Volume, read_series
from node.mricore.training.sources import SOURCES, Source

Mask = NDArray[np.bool_]

OTHER_HEAD = "siemens-xa30-t1-enh"
OTHER_HEAD_BAND = BrainBand(
    low=0.35,
    high=2.2,
    erode=2.5,
    close=6.0,
    within=(
        Ellipsoid((47, 44, 76), (34, 32, 47)),  # cerebrum
        Ellipsoid((28, 60, 66), (11, 16, 22)),  # temporal lobes
        Ellipsoid((66, 60, 66), (11, 16, 22)),
        Ellipsoid((47, 62, 92), (28, 19, 24)),  # cerebellum
        Ellipsoid((47, 72, 81), (6, 16, 8)),  # brain stem
    ),
)
FLAIR = "derived-fpg-flair-ax"
FLAIR_BRAIN = "derived-fpg-flair-ax-brain.dcm"  # below seg/: automatic labels of the same person, not manual ones
BODY = ("ge-knee-mese-te1", "derived-sct-cspine-t2s-ax")


HEADER = (
    "| series | slices | reference | Dice head | Dice brain | marked head | marked brain |",
    "|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    series: str
    slices: int
    reference: str
    head: float | None  # pooled Dice over the slices
    brain: float | None
    marked_head: float  # share of all pixels
    marked_brain: float

    def line(self) -> str:
        """A row of a Markdown table."""
        head, brain = ("-" if value is None else f"{value:.3f}" for value in (self.head, self.brain))
        shares = f"{self.marked_head:.0%} | {self.marked_brain:.0%}"
        return f"| {self.series} | {self.slices} | {self.reference} | {head} | {brain} | {shares} |"


def evaluate(segmenter: Segmenter, data: Path) -> list[Figure]:
    """Every figure of the card; `data` holds the folders mr and seg."""
    figures = [_held_out(segmenter, data / "mr", source) for source in SOURCES]
    made = phantom.voxels(seed=1)  # folds that no training phantom had
    figures.append(
        _figure(segmenter, _volume("phantom, other folds", made.array), "by construction", made.head, made.brain)
    )
    other = read_series(data / "mr" / OTHER_HEAD)
    head = head_mask(other)
    figures.append(_figure(segmenter, other, "classical, rough", head, brain_mask(other, head, OTHER_HEAD_BAND)))
    flair = read_series(data / "mr" / FLAIR)
    # The published label leaves the furrows out, the labels that the model has learned do not.
    brain = closed(_segmented(data / "mr" / FLAIR, data / "seg" / FLAIR_BRAIN, flair), flair.spacing, 6.0, flat=True)
    figures.append(_figure(segmenter, flair, "published brain, furrows closed", head_mask(flair), brain))
    figures += [_figure(segmenter, read_series(data / "mr" / name), "none", None, None) for name in BODY]
    return figures


def dice(one: Mask, other: Mask) -> float:
    """Dice coefficient of two masks of one shape; 1 when both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def labels_of(segmenter: Segmenter, array: NDArray[np.float32] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Labels (N, H, W) of native slices, a few at a time."""
    slices = torch.from_numpy(np.rint(array).astype(np.int32))
    with torch.inference_mode():
        return np.concatenate([segmenter(part).numpy() for part in torch.split(slices, 8)])


def _held_out(segmenter: Segmenter, data: Path, source: Source) -> Figure:
    volume = read_series(data / source.series)
    head = head_mask(volume, source.head_threshold)
    brain = brain_mask(volume, head, source.band)
    kept = np.array([number for number in range(len(head)) if number % source.every != source.every // 2])
    rest = Volume(f"{volume.name}, held-out slices", volume.array[kept], volume.spacing)
    return _figure(segmenter, rest, "classical", head[kept], brain[kept])


def _figure(segmenter: Segmenter, volume: Volume, reference: str, head: Mask | None, brain: Mask | None) -> Figure:
    labels = labels_of(segmenter, volume.array)
    found_head, found_brain = labels & 1 == 1, labels & 2 == 2
    return Figure(
        volume.name,
        len(labels),
        reference,
        None if head is None else dice(found_head, head),
        None if brain is None else dice(found_brain, brain),
        float(found_head.mean()),
        float(found_brain.mean()),
    )


def _volume(name: str, array: NDArray[np.uint16]) -> Volume:
    return Volume(name, array.astype(np.float32), (1.0, 1.0, 1.0))


def _segmented(series: Path, segmentation: Path, volume: Volume) -> Mask:
    """The frames of a SEG laid on the slices of its series, by SOP Instance UID order of position."""
    dataset = pydicom.dcmread(segmentation)
    files = [pydicom.dcmread(path, stop_before_pixels=True) for path in series.glob("*") if path.is_file()]
    normal = np.cross(*np.reshape(np.array(files[0].ImageOrientationPatient, float), (2, 3)))
    places = sorted(float(normal @ np.array(each.ImagePositionPatient, float)) for each in files)
    mask = np.zeros(volume.array.shape, np.bool_)
    for frame, pixels in zip(dataset.PerFrameFunctionalGroupsSequence, dataset.pixel_array, strict=True):
        place = float(normal @ np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float))
        mask[int(np.argmin(np.abs(np.array(places) - place)))] |= pixels > 0
    return mask
