"""The attributes by which people find a series again."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from node.core.dicom.elements import Elements


@dataclass(frozen=True)
class Identity:
    """Who and what, as decoded text; "" for what is absent. Patient data: never into a log line."""

    patient_id: str
    patient_name: str
    accession_number: str
    study_date: str  # YYYYMMDD, "" when the header holds anything else
    study_description: str
    series_description: str
    modality: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    issuer_of_patient_id: str = ""


def identity(ds: Dataset) -> Identity:
    """Read the identifying attributes; tolerant of every character set fault, never raises."""
    read = Elements(ds)
    study_date = read.first("StudyDate")
    return Identity(
        patient_id=read.text("PatientID").strip(),
        patient_name=read.text("PatientName").strip().rstrip("="),
        accession_number=read.text("AccessionNumber").strip(),
        study_date=study_date if len(study_date) == 8 and study_date.isascii() and study_date.isdigit() else "",
        study_description=read.text("StudyDescription").strip(),
        series_description=read.text("SeriesDescription").strip(),
        modality=read.first("Modality"),
        study_instance_uid=read.first("StudyInstanceUID"),
        series_instance_uid=read.first("SeriesInstanceUID"),
        sop_instance_uid=read.first("SOPInstanceUID"),
        sop_class_uid=read.first("SOPClassUID"),
        issuer_of_patient_id=read.text("IssuerOfPatientID").strip(),
    )
