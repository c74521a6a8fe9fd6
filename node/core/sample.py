"""A synthetic report that says it is a test: stored at a destination to see whether it takes, finds and keeps results.

The same node always makes the same instance, so a destination that is tested every week keeps one.
"""

from __future__ import annotations

import hashlib
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, Comprehensive3DSRStorage, ExplicitVRLittleEndian

from node.core.part10 import IMPLEMENTATION_CLASS_UID

TEST_TRANSACTION = f"{IMPLEMENTATION_CLASS_UID}.20.1"  # of the storage commitment that a test asks for
_DAY, _TIME = "20250101", "120000"


def sample_report(node_ae: str) -> Dataset:
    """A Comprehensive 3D SR (PS3.3 A.35.13) of nobody."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = Comprehensive3DSRStorage, _uid(node_ae, "instance")
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _uid(node_ae, "study"), _uid(node_ae, "series")
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "TEST^MRICORE", "MRICORE-TEST", "", "O"
    ds.StudyDate = ds.ContentDate = ds.SeriesDate = _DAY
    ds.StudyTime = ds.ContentTime = ds.SeriesTime = _TIME
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "TEST", "", ""
    ds.StudyDescription = ds.SeriesDescription = "mricore-node: test of a destination"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "SR", 1, 1
    ds.Manufacturer, ds.DeviceSerialNumber = "mricore-node", node_ae
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.PerformedProcedureCodeSequence = []
    ds.CompletionFlag, ds.VerificationFlag = "PARTIAL", "UNVERIFIED"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [_code("126000", "DCM", "Imaging Measurement Report")]
    ds.ContentSequence = [_comment("A test of this destination by mricore-node: no patient, no finding")]
    return ds


def sample_file(node_ae: str) -> tuple[Dataset, bytes]:
    """The report, and its Part 10 file."""
    ds = sample_report(node_ae)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = "MRICORE_TEST"  # the same bytes from every release
    ds.file_meta = meta
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return ds, file.getvalue()


def _comment(text: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.TextValue = "CONTAINS", "TEXT", text
    item.ConceptNameCodeSequence = [_code("121106", "DCM", "Comment")]
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _uid(node_ae: str, what: str) -> str:
    """Below 2.25 (PS3.5 B.2)."""
    digest = hashlib.sha256(f"mricore-node sample {node_ae} {what}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"
