"""What a stored object is called, for reading back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from node.errors import BadInstance


@dataclass(frozen=True)
class Identity:
    """The UIDs of an instance, from the top down."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str


_NAMES = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


def identity(path: Path) -> Identity:
    """Read a file's UIDs. Raises BadInstance when it is not a DICOM file."""
    try:
        ds = dcmread(path, stop_before_pixels=True, specific_tags=list(_NAMES))
    except (InvalidDicomError, ValueError, OSError) as broken:
        raise BadInstance("cannot be read back") from broken
    return Identity(*(str(ds.get(name, "")) for name in _NAMES))


def at_instance_level(wanted: Identity) -> Dataset:
    """What a query or a retrieval of the instance names (PS3.4 C.6.2.1)."""
    ds = Dataset()
    ds.QueryRetrieveLevel = "IMAGE"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = wanted.study_instance_uid, wanted.series_instance_uid
    ds.SOPInstanceUID = wanted.sop_instance_uid
    return ds
