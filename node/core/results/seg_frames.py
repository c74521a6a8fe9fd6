"""The frames of a Segmentation: which there are, and what is said of each (PS3.3 C.7.6.16.2, C.8.20.3).

There are a thousand frames, but few positions, segments and source images: each of these is encoded once.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from highdicom.spatial import get_volume_positions
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from node.core.results import encoded
from node.core.results.labels import Mask
from node.core.results.planes import position_text
from node.core.volume import Volume

_DERIVATION = codes.DCM.Segmentation
_PURPOSE = codes.DCM.SourceImageForImageProcessingOperation

Frames = Sequence[tuple[int, int]]  # of each frame the segment number, 1 in a label map, and the index of its slice


def frames_of(present: Mask) -> Frames:
    """The frames of `present` (slices, segments): by segment, and from the last slice to the first.

    Where nothing is present, each segment has a frame on the middle slice.
    """
    slices, segments = present.shape
    if not present.any():
        return [(segment + 1, slices // 2) for segment in range(segments)]
    return [
        (segment + 1, plane)
        for segment in range(segments)
        for plane in range(slices - 1, -1, -1)
        if present[plane, segment]
    ]


def describe_frames(seg: Dataset, volume: Volume, frames: Frames, *, labelmap: bool) -> None:
    """Per-Frame Functional Groups, and what goes with them, of a Segmentation whose segments are described."""
    planes = sorted({plane for _, plane in frames}, reverse=True)
    seg.NumberOfFrames = len(frames)
    # The one segment of a Segmentation is named in the shared groups (PS3.3 C.8.20.3.1)
    alone = labelmap or "SegmentIdentificationSequence" in seg.SharedFunctionalGroupsSequence[0]
    if alone and _regular(volume, planes):
        seg.DimensionOrganizationType = "3D"  # PS3.3 C.7.6.17
    segments = {segment: b"" if alone else _identification(segment) for segment, _ in frames}
    places = {
        plane: (_derivation(volume, plane), rank, _position(volume, plane)) for rank, plane in enumerate(planes, 1)
    }
    groups = []
    for segment, plane in frames:
        derivation, rank, position = places[plane]
        content = _content(rank) if labelmap else _content(segment, rank)
        groups.append(derivation + content + position + segments[segment])
    element = encoded.undecoded("PerFrameFunctionalGroupsSequence", groups)
    seg[element.tag] = element


def _regular(volume: Volume, planes: Sequence[int]) -> bool:
    """Whether there are planes at equal distances, in the order of frames."""
    positions = [[float(text) for text in position_text(volume, plane).split("\\")] for plane in planes]
    orientation = (*volume.row_direction, *volume.column_direction)
    return len(planes) > 1 and get_volume_positions(positions, orientation, sort=False)[0] is not None


def _derivation(volume: Volume, plane: int) -> bytes:
    """Derivation Image (PS3.3 C.7.6.16.2.6): the source image, or frame, that the frames on one slice lie on."""
    source = volume.slices[plane]
    image = (
        encoded.reference(source.sop_class_uid, source.sop_instance_uid, source.frame)
        + encoded.element("SpatialLocationsPreserved", "YES")
        + encoded.sequence("PurposeOfReferenceCodeSequence", encoded.code(*_PURPOSE[:3]))
    )
    derived = encoded.sequence("DerivationCodeSequence", encoded.code(*_DERIVATION[:3]))
    return encoded.sequence("DerivationImageSequence", encoded.sequence("SourceImageSequence", image) + derived)


def _content(*indices: int) -> bytes:
    """Frame Content (PS3.3 C.7.6.16.2.2) with the Dimension Index Values."""
    values = struct.pack(f"<{len(indices)}I", *indices)
    return encoded.sequence("FrameContentSequence", encoded.element("DimensionIndexValues", values))


def _position(volume: Volume, plane: int) -> bytes:
    position = encoded.element("ImagePositionPatient", position_text(volume, plane))
    return encoded.sequence("PlanePositionSequence", position)


def _identification(segment: int) -> bytes:
    number = encoded.element("ReferencedSegmentNumber", struct.pack("<H", segment))
    return encoded.sequence("SegmentIdentificationSequence", number)
