"""A result as the bytes of a DICOM file (PS3.10)."""

from __future__ import annotations

import struct
from collections.abc import Hashable, Sequence
from io import BytesIO

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import dcmwrite, write_dataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

IMPLEMENTATION_CLASS_UID = UID("2.25.307614338706129437925174836917284150237")
IMPLEMENTATION_VERSION_NAME = "MRICORE-NODE"  # SH: 16 characters


_PER_FRAME = Tag(tag_for_keyword("PerFrameFunctionalGroupsSequence") or 0)
_SEQUENCE = struct.Struct("<HH2sHI")  # tag, VR, reserved, length (PS3.5 7.1.2)
_ITEM = struct.Struct("<HHI")  # Item tag (FFFE,E000) and length (PS3.5 7.5)


def to_bytes(ds: Dataset) -> bytes:
    """The Part 10 file of a result, Explicit VR Little Endian: the same bytes for the same data set."""
    out = Dataset()
    out.update(ds)
    out.file_meta = _file_meta(ds)
    out.preamble = b"\0" * 128
    frames, after = None, list[DataElement]()
    if _PER_FRAME in out:
        frames = out[_PER_FRAME].value
        after = [_plain(out[tag]) for tag in sorted(out.keys()) if tag > _PER_FRAME]
        for tag in (_PER_FRAME, *(element.tag for element in after)):
            del out[tag]
    buffer = BytesIO()
    dcmwrite(buffer, out, implicit_vr=False, little_endian=True, enforce_file_format=True)
    if frames:
        items = _frames(frames)
        buffer.write(_SEQUENCE.pack(_PER_FRAME.group, _PER_FRAME.element, b"SQ", 0, len(items)) + items)
        buffer.write(_written(*after))
    return buffer.getvalue()


def _file_meta(ds: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def _plain(element: DataElement) -> DataElement:
    """Pixels of eight bits or less are OB in Explicit VR (PS3.5 8.2); the rest of a Segmentation says so already."""
    return DataElement(element.tag, "OB", element.value) if element.keyword == "PixelData" else element


def _frames(groups: Sequence[Dataset]) -> bytes:
    """The items of the functional groups of all frames. What frames have in common is encoded once: there are a
    thousand frames, but few positions, segments and source images."""
    known: dict[Hashable, bytes] = {}
    items = []
    for group in groups:
        content = b"".join(_macro(element, known) for element in group)
        items.append(_ITEM.pack(0xFFFE, 0xE000, len(content)) + content)
    return b"".join(items)


def _macro(element: DataElement, known: dict[Hashable, bytes]) -> bytes:
    key = _key(element)
    if key not in known:
        known[key] = _written(element)
    return known[key]


def _key(element: DataElement) -> Hashable:
    """The same for elements that are encoded alike, as far as that can be told quickly."""
    if element.keyword == "PlanePositionSequence":
        return element.tag, tuple(str(value) for value in element.value[0].ImagePositionPatient)
    if element.keyword == "SegmentIdentificationSequence":
        return element.tag, int(element.value[0].ReferencedSegmentNumber)
    return element.tag, id(element)  # which lives as long as its frame does


def _written(*elements: DataElement) -> bytes:
    out, buffer = Dataset(), DicomBytesIO()
    for element in elements:
        out.add(element)
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, out)
    return buffer.getvalue()
