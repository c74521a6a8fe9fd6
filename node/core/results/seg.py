"""The findings of a model as a DICOM Segmentation (PS3.3 A.51), one instance in its own series, in three encodings:

    BINARY      a frame of bits per segment and slice: the default, which everything reads
    LABELMAP    a frame of segment numbers per slice; segments cannot overlap, and older archives refuse its SOP Class
    FRACTIONAL  a frame of probabilities, 0 to 255, per segment and slice

Geometry is that of the Volume. Every frame names the one source image, or source frame, that it lies on
(Derivation Image Sequence, PS3.3 C.7.6.16.2.6). A segment without a voxel keeps its description and has no frame.
Where nothing at all was found, each segment has one empty frame on the middle slice: an image must have a frame
(Number of Frames, PS3.3 C.7.6.6), and readers then know what was looked for and where.

highdicom describes the segments, of which it is given one plane of one pixel. The pixels are packed here, and
what is said of each frame is in `seg_frames`: both take a fraction of the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from node.core.results import encoded
from node.core.results.bits import Bits
from node.core.results.equipment import (
    algorithm_parameters,
    coded,
    complete,
    series_description,
    series_number,
    short,
    software_versions,
)
from node.core.results.hygiene import CHARACTER_SET
from node.core.results.labels import Labels, Mask, mask_of, without_overlap
from node.core.results.origin import Origin
from node.core.results.planes import Source, lossy, stand_in
from node.core.results.seg_frames import Frames, describe_frames, frames_of
from node.core.results.uids import result_uid
from node.core.volume import Volume


@dataclass(frozen=True)
class _Encoding:
    """What sets one encoding apart from the others."""

    type: hd.seg.SegmentationTypeValues
    role: str  # part of the UIDs
    series_offset: int  # of SeriesNumber


_BINARY = _Encoding(hd.seg.SegmentationTypeValues.BINARY, "seg", 1)
_LABELMAP = _Encoding(hd.seg.SegmentationTypeValues.LABELMAP, "seg labelmap", 4)
_FRACTIONAL = _Encoding(hd.seg.SegmentationTypeValues.FRACTIONAL, "seg fractional", 5)
_MOST_PROBABLE = 255  # Maximum Fractional Value


def _named(encoding: _Encoding) -> str:
    return "SEG" if encoding is _BINARY else f"SEG {encoding.type.value.lower()}"


def seg_uid(source: Source, origin: Origin) -> str:
    """SOP Instance UID of the BINARY Segmentation."""
    return result_uid(_BINARY.role, source.series_instance_uid, origin)


def seg_series_uid(source: Source, origin: Origin) -> str:
    """Series Instance UID of the BINARY Segmentation."""
    return result_uid(f"{_BINARY.role} series", source.series_instance_uid, origin)


def tracking_uid(source: Source, origin: Origin, number: int) -> str:
    """The tracking UID by which the SEG and the SR name the same finding (PS3.3 C.8.20.2, TID 1411)."""
    return result_uid(f"tracking/{number}", source.series_instance_uid, origin)


def tracking_id(origin: Origin, label: str) -> str:
    """The tracking identifier for people that goes with the tracking UID."""
    return short(f"{origin.card.name}/{label}")


def build_seg(
    volume: Volume, source: Source, labels: Labels, segments: Sequence[Bits], origin: Origin, moment: datetime
) -> Dataset:
    """The BINARY Segmentation of labels that `labels.check_labels` has passed, as a plain data set.

    `segments` are the bits of the labels.
    """
    present = np.column_stack([bits.voxels > 0 for bits in segments])
    out, frames = _described(volume, source, present, _BINARY, origin, moment)
    out.SegmentsOverlap = "NO" if without_overlap(labels, origin.card) is not None else "YES"
    _fill(out, _packed([(segments[number - 1], plane) for number, plane in frames]))
    return out


def _packed(frames: Sequence[tuple[Bits, int]]) -> bytes:
    """One bit per voxel, without gaps between lines and frames (PS3.5 8.1.1)."""
    if not frames[0][0].columns % 8:
        return b"".join(bits.lines[plane].tobytes() for bits, plane in frames)
    size = frames[0][0].plane(0).size
    together = 8 // math.gcd(size, 8)  # as many frames as end with a byte
    packed = []
    for begin in range(0, len(frames), together):
        masks = [bits.plane(plane).ravel() for bits, plane in frames[begin : begin + together]]
        packed.append(np.packbits(np.concatenate(masks), bitorder="little").tobytes())
    return b"".join(packed)


def build_labelmap(volume: Volume, source: Source, labels: Labels, origin: Origin, moment: datetime) -> Dataset | None:
    """The same as a label map; None where a voxel belongs to more than one segment."""
    numbers = without_overlap(labels, origin.card)
    if numbers is None:
        return None
    present = np.asarray(numbers.any(axis=(1, 2)))[:, np.newaxis]
    out, frames = _described(volume, source, present, _LABELMAP, origin, moment)
    _fill(out, numbers[[plane for _, plane in frames]].tobytes())
    out["PixelPaddingValue"].VR = "US"  # as Pixel Representation says (PS3.3 C.7.5.1.1.2)
    # Viewers count the items to find a segment's colour: the background, which has no colour, comes last
    out.SegmentSequence = sorted(out.SegmentSequence, key=lambda item: (item.SegmentNumber == 0, item.SegmentNumber))
    return out


def build_fractional(
    volume: Volume,
    source: Source,
    labels: Labels,
    probabilities: NDArray[np.float32] | None,
    origin: Origin,
    moment: datetime,
) -> Dataset:
    """Probabilities from 0 to 1 (segments, slices, rows, columns) that `labels.check_probabilities` has passed.

    Where the model gives none, the labels: a voxel is occupied by a segment as a whole or not at all (OCCUPANCY).
    """
    card = origin.card
    if probabilities is None:
        of_segments = [mask_of(labels, one.number, card.encoding) * np.uint8(_MOST_PROBABLE) for one in card.segments]
    else:
        of_segments = [np.rint(one * np.float32(_MOST_PROBABLE)).astype(np.uint8) for one in probabilities]
    present = np.array([one.any(axis=(1, 2)) for one in of_segments]).T
    out, frames = _described(volume, source, present, _FRACTIONAL, origin, moment)
    # Segments that share a slice may share voxels with a part of their probability each
    out.SegmentsOverlap = "YES" if (present.sum(axis=1) > 1).any() else "NO"
    out.SegmentationFractionalType = "OCCUPANCY" if probabilities is None else "PROBABILITY"
    _fill(out, b"".join(of_segments[segment - 1][plane].tobytes() for segment, plane in frames))
    return out


def _described(
    volume: Volume, source: Source, present: Mask, encoding: _Encoding, origin: Origin, moment: datetime
) -> tuple[Dataset, Frames]:
    """A Segmentation without pixels, and its frames; `present` (slices, segments) says what there is to show."""
    frames = frames_of(present)
    image = stand_in(volume, source, frames[0][1])
    image.Rows = image.Columns = 1
    dots = np.ones((1, 1, 1) if encoding is _LABELMAP else (1, 1, 1, present.shape[1]), np.uint8)
    made = hd.seg.Segmentation(
        source_images=[image],
        pixel_array=dots,
        segmentation_type=encoding.type,
        segment_descriptions=_descriptions(source, origin),
        series_instance_uid=result_uid(f"{encoding.role} series", source.series_instance_uid, origin),
        series_number=series_number(source, origin, encoding.series_offset),
        sop_instance_uid=result_uid(encoding.role, source.series_instance_uid, origin),
        instance_number=1,
        manufacturer=short(origin.manufacturer),
        manufacturer_model_name=short(origin.card.name),
        software_versions=software_versions(origin),
        device_serial_number=short(origin.device_serial_number),
        content_label="SEGMENTATION",
        content_description=short(f"{origin.card.name} {origin.card.version}, not verified by a person"),
        content_creator_name=f"{short(origin.manufacturer, 60)}^AI",  # Type 2; the form of a person's name
        series_description=series_description(origin, _named(encoding)),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set=CHARACTER_SET,
        max_fractional_value=_MOST_PROBABLE,
    )
    out = complete(made, source, origin, moment)
    out.Rows, out.Columns = volume.rows, volume.columns
    _name_dimensions(out, result_uid("dimensions", source.series_instance_uid, origin))
    _refer_to_sources(out, source)
    describe_frames(out, volume, frames, labelmap=encoding is _LABELMAP)
    for keyword, value in lossy(source).items():
        setattr(out, keyword, value)
    return out, frames


def _descriptions(source: Source, origin: Origin) -> list[hd.seg.SegmentDescription]:
    card = origin.card
    algorithm = hd.AlgorithmIdentificationSequence(
        name=short(card.name),
        family=coded(card.algorithm_family),
        version=short(card.version),
        source=short(card.weights.origin) or None,
        parameters=algorithm_parameters(origin),
    )
    return [
        hd.seg.SegmentDescription(
            segment_number=segment.number,
            segment_label=short(segment.label),
            segmented_property_category=coded(segment.category),
            segmented_property_type=coded(segment.type),
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=tracking_uid(source, origin, segment.number),
            tracking_id=tracking_id(origin, segment.label),
            display_color=hd.color.CIELabColor(*segment.color),
        )
        for segment in card.segments
    ]


def _fill(seg: Dataset, pixels: bytes) -> None:
    """Pixels of eight bits or less are OB in Explicit VR, ended with 00H if need be (PS3.5 8.1.1, 8.2)."""
    seg.add(DataElement("PixelData", "OB", pixels + b"\0" if len(pixels) % 2 else pixels))


def _name_dimensions(seg: Dataset, uid: str) -> None:
    """One Dimension Organization UID of ours in place of highdicom's random one (PS3.3 C.7.6.17)."""
    for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def _refer_to_sources(seg: Dataset, source: Source) -> None:
    """Name the true source images where highdicom has named the stand-in; the series that the result lies on first,
    which is where viewers look for it."""
    series, all_images = [], []
    for uid, headers in source.series:
        images = [encoded.reference(str(header.SOPClassUID), str(header.SOPInstanceUID)) for header in headers]
        instances = encoded.sequence("ReferencedInstanceSequence", *images)
        series.append(instances + encoded.element("SeriesInstanceUID", uid))
        all_images += images
    for element in (
        encoded.undecoded("ReferencedSeriesSequence", series),
        encoded.undecoded("SourceImageSequence", all_images),
    ):
        seg[element.tag] = element
