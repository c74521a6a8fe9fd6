"""A second look at a Segmentation: is every voxel where the model found it?

Each frame is put through its own source reference onto the grid of the source images, whose geometry is read from
their headers anew. What comes out must be the labels, voxel by voxel: bits of BINARY, numbers of LABELMAP, values of
FRACTIONAL of at least one half.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from node.core.results.verify.expected import OF_THE_STUDY, Bits, Expected, Plane, shared_attributes

TOLERANCE = 1e-4  # mm for positions and spacings; direction cosines
_MATRIX = ("Rows", "Columns")


@dataclass(frozen=True)
class Geometry:
    """Where one image plane lies."""

    position: tuple[float, ...]  # ImagePositionPatient, mm
    orientation: tuple[float, ...]  # ImageOrientationPatient
    pixel_spacing: tuple[float, ...]  # mm between rows, mm between columns


@dataclass(frozen=True)
class Frame:
    """One frame of a Segmentation."""

    number: int  # from 1
    segment: int
    source: Plane
    geometry: Geometry
    bits: Bits  # (rows, columns)


def differences(ds: Dataset, sources: Sequence[Dataset], labels: Expected | None) -> tuple[str, ...]:
    """Differences between a Segmentation and its source images, and from the labels where they are given."""
    general = tuple(_header_sentences(ds, sources))
    if general:
        return general
    frames = tuple(_frames(ds))
    found = _differences_of_frames(frames, sources)
    return found if labels is None else found + _differences_of_voxels(ds, frames, labels)


def _header_sentences(ds: Dataset, sources: Sequence[Dataset]) -> Iterator[str]:
    kind = str(ds.get("SegmentationType", ""))
    if ds.get("BitsAllocated") != {"BINARY": 1, "FRACTIONAL": 8, "LABELMAP": 8}.get(kind):
        yield f"Segmentation Type {kind or 'absent'} with {ds.get('BitsAllocated')} bits is none that the node makes"
        return
    known = {str(source.get("SOPInstanceUID", "")): source for source in sources}
    named = {
        str(item.ReferencedSOPInstanceUID): str(item.ReferencedSOPClassUID)
        for series in ds.get("ReferencedSeriesSequence", [])
        for item in series.ReferencedInstanceSequence
    }
    missing = [uid for uid in named if uid not in known]
    if missing or not named:
        yield f"{len(missing) or 'All'} of {len(named)} source images named by the Segmentation are not there"
        return
    for uid, sop_class in named.items():
        if str(known[uid].get("SOPClassUID", "")) != sop_class:
            yield "A source image is named with a SOP Class that it does not have"
            break
    yield from shared_attributes(ds, [known[uid] for uid in named], (*OF_THE_STUDY, "FrameOfReferenceUID"))
    # The first series is the one that the Segmentation lies on; others that the model was given have their own matrix
    grid = [str(item.ReferencedSOPInstanceUID) for item in ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence]
    yield from shared_attributes(ds, [known[uid] for uid in grid], _MATRIX)
    frames, expected = len(ds.PerFrameFunctionalGroupsSequence), int(ds.NumberOfFrames)
    if frames != expected:
        yield f"Number of Frames is {expected}, but {frames} frames are described"
    if len(ds.PixelData) * 8 < expected * int(ds.Rows) * int(ds.Columns) * int(ds.BitsAllocated):
        yield "The pixel data is shorter than the frames"


def _frames(ds: Dataset) -> Iterator[Frame]:
    """What each frame says of each segment; a frame of a label map speaks of all."""
    shared = ds.SharedFunctionalGroupsSequence[0]
    described = [int(item.SegmentNumber) for item in ds.SegmentSequence if int(item.SegmentNumber)]
    kind = str(ds.SegmentationType)
    for index, (group, plane) in enumerate(zip(ds.PerFrameFunctionalGroupsSequence, _planes(ds), strict=True)):
        place = _source_plane(group), _functional_geometry(group, shared)
        if kind == "LABELMAP":
            for number in described:
                yield Frame(index + 1, number, *place, plane == number)
            continue
        identified = (group if "SegmentIdentificationSequence" in group else shared).SegmentIdentificationSequence[0]
        bits = plane.view(np.bool_) if kind == "BINARY" else plane >= int(ds.MaximumFractionalValue) / 2
        yield Frame(index + 1, int(identified.ReferencedSegmentNumber), *place, bits)


def _planes(ds: Dataset) -> NDArray[np.uint8]:
    """Pixels (frames, rows, columns); bits are packed without gaps between frames (PS3.5 8.1.1)."""
    shape = int(ds.NumberOfFrames), int(ds.Rows), int(ds.Columns)
    stored = np.frombuffer(ds.PixelData, np.uint8)
    if ds.BitsAllocated == 1:
        stored = np.unpackbits(stored, count=math.prod(shape), bitorder="little")
    return stored[: math.prod(shape)].reshape(shape)


def _source_plane(group: Dataset) -> Plane:
    """The one plane a frame names; ("", None) where it names none or several."""
    images = [image for item in group.get("DerivationImageSequence", []) for image in item.SourceImageSequence]
    if len(images) != 1:
        return "", None
    frame = images[0].get("ReferencedFrameNumber")
    return str(images[0].ReferencedSOPInstanceUID), None if frame is None else int(frame)


def _functional_geometry(group: Dataset, shared: Dataset) -> Geometry:
    def item(name: str) -> Dataset:
        found: Dataset = (group if name in group else shared)[name].value[0]
        return found

    return Geometry(
        position=_numbers(item("PlanePositionSequence").ImagePositionPatient),
        orientation=_numbers(item("PlaneOrientationSequence").ImageOrientationPatient),
        pixel_spacing=_numbers(item("PixelMeasuresSequence").PixelSpacing),
    )


def _source_geometry(source: Dataset, frame: int | None) -> Geometry | None:
    """The plane of a classic image, or of one frame of an Enhanced one; None where there is no such frame."""
    if frame is None:
        return Geometry(
            _numbers(source.ImagePositionPatient),
            _numbers(source.ImageOrientationPatient),
            _numbers(source.PixelSpacing),
        )
    groups = source.get("PerFrameFunctionalGroupsSequence", [])
    if not 1 <= frame <= len(groups):
        return None
    return _functional_geometry(groups[frame - 1], source.SharedFunctionalGroupsSequence[0])


def _numbers(values: Sequence[object]) -> tuple[float, ...]:
    return tuple(float(str(value)) for value in values)


def _differences_of_frames(frames: Sequence[Frame], sources: Sequence[Dataset]) -> tuple[str, ...]:
    known = {str(source.SOPInstanceUID): source for source in sources}
    planes: dict[Plane, Geometry | None] = {}
    sentences: list[str] = []
    for frame in frames:
        uid, number = frame.source
        if uid not in known:
            sentences.append(f"Frame {frame.number} does not name one of the source images")
            continue
        if frame.source not in planes:
            planes[frame.source] = _source_geometry(known[uid], number)
        sentences += _differences_of_plane(frame, planes[frame.source])
    return tuple(sentences)


def _differences_of_plane(frame: Frame, source: Geometry | None) -> list[str]:
    if source is None:
        return [f"Frame {frame.number} names a source frame that does not exist"]
    pairs = (
        ("position", frame.geometry.position, source.position),
        ("orientation", frame.geometry.orientation, source.orientation),
        ("pixel spacing", frame.geometry.pixel_spacing, source.pixel_spacing),
    )
    return [
        f"Frame {frame.number} differs from its source image in {what} by {largest:.6g}"
        for what, ours, theirs in pairs
        if not (largest := max(abs(a - b) for a, b in zip(ours, theirs, strict=True))) <= TOLERANCE
    ]


def _differences_of_voxels(ds: Dataset, frames: Sequence[Frame], labels: Expected) -> tuple[str, ...]:
    described = {int(item.SegmentNumber): str(item.SegmentLabel) for item in ds.SegmentSequence}
    sentences: list[str] = []
    for segment in labels.card.segments:
        if described.get(segment.number) is None:
            sentences.append(f"Segment {segment.number} ({segment.label}) is not described")
            continue
        wrong = _wrong_voxels(segment.number, frames, labels)
        if wrong:
            sentences.append(f"Segment {segment.number} ({segment.label}) differs from the labels in {wrong} voxels")
    return tuple(sentences)


def _wrong_voxels(number: int, frames: Sequence[Frame], labels: Expected) -> int:
    """Voxels of one segment that the frames and the labels do not agree on; every slice is looked at once."""
    wrong, seen = 0, set[int]()
    for frame in frames:
        if frame.segment != number:
            continue
        index = labels.slices.get(frame.source)
        if index is None or index in seen:
            wrong += int(np.count_nonzero(frame.bits)) or 1
            continue
        seen.add(index)
        wrong += int(np.count_nonzero(frame.bits != labels.of(number, index)))
    for index in set(range(len(labels.labels))) - seen:
        wrong += int(np.count_nonzero(labels.of(number, index)))
    return wrong
