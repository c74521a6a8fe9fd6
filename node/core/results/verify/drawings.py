"""A second look at results without voxels: outlines, colours, volumes, and what they refer to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from node.core.results.verify.expected import Bits, Expected

_VOLUME, _FINDING, _SEGMENT = "118565006", "121071", "121191"  # codes of content items
_GROUP = "125007"
_MOST_CORNERS = 8000  # an outline with more is thinned, and not what it was
_TOLERANCE = 1e-5  # of a volume: six digits are written
_FRAMES_OF_A_LONG_CAPTURE = 89  # where more slices have findings, so many of them are shown


def differences(ds: Dataset, sources: Sequence[Dataset], labels: Expected | None) -> Iterator[str]:
    """Of an SR, a presentation state, a Secondary Capture or an encapsulated document."""
    known = {str(source.SOPInstanceUID) for source in sources}
    modality = str(ds.Modality)
    named = {str(item.ReferencedSOPInstanceUID) for item in _references(ds, modality)}
    if not named & known:
        yield "None of the source images is referred to"
    elif modality != "SR" and named - known:
        yield f"{len(named - known)} of {len(named)} images that are referred to are not there"
    if modality == "DOC" and not ds.EncapsulatedDocument.startswith(b"%PDF-"):
        yield "The encapsulated document is not a PDF"
    if labels is None:
        return
    if modality == "SR":
        yield from _of_report(ds, labels)
    elif modality == "PR":
        yield from _of_presentation(ds, labels)
    elif modality == "OT":
        yield from _of_capture(ds, labels)


def _references(ds: Dataset, modality: str) -> Iterator[Dataset]:
    """References to instances."""
    if modality == "SR":
        for study in ds.CurrentRequestedProcedureEvidenceSequence:
            for series in study.ReferencedSeriesSequence:
                yield from series.ReferencedSOPSequence
    elif modality == "PR":
        for series in ds.ReferencedSeriesSequence:
            yield from series.ReferencedImageSequence
    else:
        yield from ds.get("SourceImageSequence", ds.get("SourceInstanceSequence", []))


def _of_report(ds: Dataset, labels: Expected) -> Iterator[str]:
    for group in _groups(ds):
        found = {_code(item): item for item in group.ContentSequence if "ConceptNameCodeSequence" in item}
        name = next(str(item.TextValue) for item in group.ContentSequence if item.ValueType == "TEXT")
        numbers = {one.number for one in labels.card.segments if name == _one_line(f"{labels.card.name}/{one.label}")}
        codes = {one.type.value for one in labels.card.segments if one.number in numbers}
        if len(numbers) != 1 or codes != {str(found[_FINDING].ConceptCodeSequence[0].CodeValue)}:
            yield f"The finding {name} is not one of the segments of the card"
            continue
        yield from _of_group(group, found, numbers.pop(), labels)


def _of_group(group: Dataset, found: dict[str, Dataset], number: int, labels: Expected) -> Iterator[str]:
    masks = [labels.of(number, index) for index in range(len(labels.labels))]
    voxels = sum(int(np.count_nonzero(mask)) for mask in masks)
    if _VOLUME in found and labels.voxel_ml is not None:
        said = float(found[_VOLUME].MeasuredValueSequence[0].NumericValue)
        if abs(said - voxels * labels.voxel_ml) > _TOLERANCE * max(said, 1e-9) + 1e-12:
            yield f"The volume of segment {number} is not that of its {voxels} voxels"
    if _SEGMENT in found:
        named = int(found[_SEGMENT].ReferencedSOPSequence[0].ReferencedSegmentNumber)
        if named != number:
            yield f"The measurements of segment {number} point to segment {named}"
    for drawn in (item for item in group.ContentSequence if item.ValueType == "SCOORD"):
        image = drawn.ContentSequence[0].ReferencedSOPSequence[0]
        index = labels.slices.get(_plane(image))
        corners = np.array(drawn.GraphicData, float).reshape(-1, 2)
        if index is None or not _is_border(corners, masks[index]):
            yield f"The outline of segment {number} is not where the segment lies"


def _of_presentation(ds: Dataset, labels: Expected) -> Iterator[str]:
    """Every border of every segment on every slice: together they enclose its voxels and nothing else."""
    shape = labels.labels.shape
    drawn = {one.number: np.zeros(shape, np.bool_) for one in labels.card.segments}
    for annotation in ds.get("GraphicAnnotationSequence", []):
        number = int(str(annotation.GraphicLayer).removeprefix("SEGMENT"))
        for image in annotation.ReferencedImageSequence:
            index = labels.slices[_plane(image)]
            for graphic in annotation.GraphicObjectSequence:
                corners = np.array(graphic.GraphicData, float).reshape(-1, 2)
                drawn[number][index] ^= _filled(corners, (shape[1], shape[2]))
    for number, mask in drawn.items():
        wrong = sum(int(np.count_nonzero(mask[index] != labels.of(number, index))) for index in range(shape[0]))
        if wrong:
            yield f"The outlines of segment {number} differ from the labels in {wrong} voxels"


def _of_capture(ds: Dataset, labels: Expected) -> Iterator[str]:
    """Colour is where a segment is, and nowhere else; a segment whose own colour is grey cannot be told apart."""
    shape = int(ds.get("NumberOfFrames", 1)), int(ds.Rows), int(ds.Columns), 3
    pixels = np.frombuffer(ds.PixelData, np.uint8)[: int(np.prod(shape))].reshape(shape)
    names = ds.get("FrameLabelVector")
    names = [names] if isinstance(names, str) else names
    indices = [int(str(name).removeprefix("Slice ")) - 1 for name in names] if names else [len(labels.labels) // 2]
    shown = {index for index in range(len(labels.labels)) if labels.labels[index].any()}
    if names and shown - set(indices) and len(set(indices) & shown) < _FRAMES_OF_A_LONG_CAPTURE:
        yield f"{len(shown - set(indices))} slices with findings are not shown"
    if not names and len(shown) == 1:
        indices = [*shown]
    for frame, index in zip(pixels, indices, strict=True):
        grey = (frame == frame[..., :1]).all(axis=-1)
        found = [labels.of(one.number, index) for one in labels.card.segments]
        vivid = [
            mask for mask, one in zip(found, labels.card.segments, strict=True) if max(map(abs, one.color[1:])) > 5
        ]
        once = np.sum(found, axis=0) == 1  # colours over one another may become grey
        if not grey[labels.labels[index] == 0].all():
            yield f"The overlay has colour on slice {index + 1} where nothing was found"
        if any(grey[mask & once].any() for mask in vivid):
            yield f"The overlay has no colour on slice {index + 1} where something was found"


def _groups(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        if child.ValueType == "CONTAINER" and _code(child) == _GROUP:
            yield child
        else:
            yield from _groups(child)


def _code(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def _one_line(text: str) -> str:
    """As a text of 64 characters."""
    return " ".join(text.replace("\\", "/").split())[:64].strip()


def _plane(image: Dataset) -> tuple[str, int | None]:
    frame = image.get("ReferencedFrameNumber")
    return str(image.ReferencedSOPInstanceUID), None if frame is None else int(frame)


def _is_border(corners: NDArray[np.float64], mask: Bits) -> bool:
    """Whether a closed line has voxels of the mask right inside of it everywhere, and none right outside."""
    if len(corners) >= _MOST_CORNERS // 2:
        return bool((_filled_roughly(corners, mask) > 0).any())
    inside = np.pad(_filled(corners, (mask.shape[0], mask.shape[1])), 1)
    padded = np.pad(mask, 1)
    rim, outside = np.zeros_like(inside), np.zeros_like(inside)
    for axis in (0, 1):
        for step in (-1, 1):
            neighbour = np.roll(inside, step, axis)
            rim |= inside & ~neighbour
            outside |= neighbour & ~inside
    return bool(inside.any() and padded[rim].all() and not padded[outside].any())


def _filled(corners: NDArray[np.float64], shape: tuple[int, int]) -> Bits:
    """The pixels within a closed line along their borders, by the even-odd rule: each upright side turns the pixels to
    the right of it inside out."""
    turns = np.zeros((shape[0], shape[1] + 1), np.int32)
    for (column, row), (_, after) in pairwise(corners):
        turns[int(min(row, after)) : int(max(row, after)), int(column)] ^= 1
    inside: Bits = (np.cumsum(turns, axis=1)[:, :-1] % 2).astype(np.bool_)
    return inside


def _filled_roughly(corners: NDArray[np.float64], mask: Bits) -> NDArray[np.int64]:
    """Voxels of the mask within the bounding box of a line that was thinned."""
    low, high = corners.min(axis=0).astype(int), corners.max(axis=0).astype(int)
    return np.asarray(mask[low[1] : high[1], low[0] : high[0]].astype(np.int64))
