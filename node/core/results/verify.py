"""A second look at a Segmentation before it leaves: is every voxel where the model found it?

The file is read back with pydicom alone and shares nothing with the code that wrote it. Each frame is put through
its own source reference onto the grid of the source images, whose geometry is read from their headers anew. What
comes out must be the labels, voxel by voxel. Differences are sentences for people; no sentence is the good answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from node.core.card import Card, Encoding
from node.core.volume import Volume

TOLERANCE = 1e-4  # mm for positions and spacings; direction cosines

Plane = tuple[str, int | None]  # SOP Instance UID, frame from 1 in a multi-frame image
Bits = NDArray[np.bool_]


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


def verify(
    seg: bytes, sources: Sequence[Dataset], volume: Volume, labels: NDArray[np.uint8], card: Card
) -> tuple[str, ...]:
    """Differences between a SEG file and the labels (slices, rows, columns) that it was made of.

    Everything that `verify_files` looks at, and every voxel of every segment of the card.
    """
    return _read_and_compare(seg, sources, lambda ds, frames: _differences_of_voxels(ds, frames, volume, labels, card))


def verify_files(seg: bytes, sources: Sequence[Dataset]) -> tuple[str, ...]:
    """Differences between a SEG file and its source images: patient, study, frame of reference, matrix, and for
    every frame the existence, position, orientation and spacing of the source plane that it names."""
    return _read_and_compare(seg, sources, lambda ds, frames: ())


def _read_and_compare(
    seg: bytes, sources: Sequence[Dataset], look_closer: Callable[[Dataset, Sequence[Frame]], tuple[str, ...]]
) -> tuple[str, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of illegal values in headers, which are not judged here
        try:
            ds = dcmread(BytesIO(seg))
            general = tuple(_header_sentences(ds, sources))
            if general:
                return general
            frames = tuple(_frames(ds))
            return _differences_of_frames(frames, sources) + look_closer(ds, frames)
        except InvalidDicomError:
            return ("The file is not a DICOM file",)
        except (AttributeError, LookupError, TypeError, ValueError):
            return ("The file or one of its source images lacks what a Segmentation or an image must have",)


def _header_sentences(ds: Dataset, sources: Sequence[Dataset]) -> Iterator[str]:
    if str(ds.get("SegmentationType", "")) != "BINARY" or ds.get("BitsAllocated") != 1:
        yield "The file is not a BINARY Segmentation"
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
    yield from _shared_attributes(ds, [known[uid] for uid in named])
    frames, expected = len(ds.PerFrameFunctionalGroupsSequence), int(ds.NumberOfFrames)
    if frames != expected:
        yield f"Number of Frames is {expected}, but {frames} frames are described"
    if len(ds.PixelData) * 8 < expected * int(ds.Rows) * int(ds.Columns):
        yield "The pixel data is shorter than the frames"


def _shared_attributes(ds: Dataset, sources: Sequence[Dataset]) -> Iterator[str]:
    for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "Rows", "Columns"):
        # Padding is all that may differ between the texts; Enhanced MR keeps all five at its root too
        if any(_text(source, keyword) != _text(ds, keyword) for source in sources):
            yield f"{keyword} is not that of the source images"


def _text(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword)
    return "" if value is None else str(value).strip(" \0")


def _frames(ds: Dataset) -> Iterator[Frame]:
    """The frames of a BINARY Segmentation: one bit per voxel, packed without gaps between frames (PS3.5 8.1.1)."""
    rows, columns, count = int(ds.Rows), int(ds.Columns), int(ds.NumberOfFrames)
    packed = np.frombuffer(ds.PixelData, np.uint8)
    bits = np.unpackbits(packed, count=count * rows * columns, bitorder="little").view(np.bool_)
    shared = ds.SharedFunctionalGroupsSequence[0]
    for index, (group, plane) in enumerate(
        zip(ds.PerFrameFunctionalGroupsSequence, bits.reshape(count, rows, columns), strict=True)
    ):
        identified = (group if "SegmentIdentificationSequence" in group else shared).SegmentIdentificationSequence[0]
        yield Frame(
            number=index + 1,
            segment=int(identified.ReferencedSegmentNumber),
            source=_source_plane(group),
            geometry=_functional_geometry(group, shared),
            bits=plane,
        )


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


def _differences_of_voxels(
    ds: Dataset, frames: Sequence[Frame], volume: Volume, labels: NDArray[np.uint8], card: Card
) -> tuple[str, ...]:
    slices: Mapping[Plane, int] = {
        (plane.sop_instance_uid, plane.frame): index for index, plane in enumerate(volume.slices)
    }
    described = {int(item.SegmentNumber): str(item.SegmentLabel) for item in ds.SegmentSequence}
    sentences: list[str] = []
    for segment in card.segments:
        if described.get(segment.number) is None:
            sentences.append(f"Segment {segment.number} ({segment.label}) is not described")
            continue
        wrong = _wrong_voxels(segment.number, frames, slices, labels, card.encoding)
        if wrong:
            sentences.append(f"Segment {segment.number} ({segment.label}) differs from the labels in {wrong} voxels")
    return tuple(sentences)


def _wrong_voxels(
    number: int, frames: Sequence[Frame], slices: Mapping[Plane, int], labels: NDArray[np.uint8], encoding: Encoding
) -> int:
    """Voxels of one segment that the frames and the labels do not agree on; every slice is looked at once."""
    wrong, seen = 0, set[int]()
    for frame in frames:
        if frame.segment != number:
            continue
        index = slices.get(frame.source)
        if index is None or index in seen:
            wrong += int(np.count_nonzero(frame.bits)) or 1
            continue
        seen.add(index)
        wrong += int(np.count_nonzero(frame.bits != _expected(labels[index], number, encoding)))
    for index in set(range(len(labels))) - seen:
        wrong += int(np.count_nonzero(_expected(labels[index], number, encoding)))
    return wrong


def _expected(labels: NDArray[np.uint8], number: int, encoding: Encoding) -> Bits:
    if encoding is Encoding.BITS:
        return (labels & np.uint8(1 << (number - 1))).astype(np.bool_)
    return np.equal(labels, number)
