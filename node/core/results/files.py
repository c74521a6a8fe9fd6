"""A result as the bytes of a DICOM file (PS3.10)."""

from __future__ import annotations

from io import BytesIO

from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

from node.core.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME


def to_bytes(ds: Dataset) -> bytes:
    """The Part 10 file of a result, Explicit VR Little Endian: the same bytes for the same data set."""
    out = Dataset()
    out.update(ds)
    out.file_meta = _file_meta(ds)
    out.preamble = b"\0" * 128
    if any(out.get_item(tag).is_raw for tag in out.keys()):  # noqa: SIM118 # the items would be decoded
        # What is encoded already (encoded.py) is written as it is
        characters = convert_encodings(out.get("SpecificCharacterSet"))
        out.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding=characters)
    buffer = BytesIO()
    dcmwrite(buffer, out, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return buffer.getvalue()


def _file_meta(ds: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta
