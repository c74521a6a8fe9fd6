"""Which attributes the index keeps, searches and returns, at which level (PS3.18 tables 10.6.1-5, 10.6.3-3 to -5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword


class Level(StrEnum):
    """Of the information model that is searched, from the top."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


class Kind(StrEnum):
    """How an attribute is matched."""

    UID = "uid"
    TEXT = "text"
    NAME = "name"
    DATE = "date"
    TIME = "time"
    NUMBER = "number"


@dataclass(frozen=True)
class Key:
    """An attribute that can be matched."""

    level: Level
    column: str  # of the index
    kind: Kind


def _keys(level: Level, table: str) -> dict[str, Key]:
    rows = (line.split() for line in table.strip().splitlines())
    return {path: Key(level, column, Kind(kind)) for path, column, kind in rows}


# Path of keywords → where it is matched.
KEYS: Mapping[str, Key] = {
    **_keys(
        Level.STUDY,
        """
        StudyInstanceUID          study_instance_uid   uid
        StudyDate                 study_date           date
        StudyTime                 study_time           time
        AccessionNumber           accession_number     text
        StudyID                   study_id             text
        StudyDescription          study_description    text
        ModalitiesInStudy         modalities           text
        ReferringPhysicianName    referring_physician  name
        PatientName               patient_name         name
        PatientID                 patient_id           text
        PatientBirthDate          birth_date           date
        PatientSex                sex                  text
        """,
    ),
    **_keys(
        Level.SERIES,
        """
        SeriesInstanceUID                 series_instance_uid  uid
        Modality                          modality             text
        SeriesNumber                      series_number        number
        SeriesDescription                 series_description   text
        BodyPartExamined                  body_part            text
        ProtocolName                      protocol_name        text
        PerformedProcedureStepStartDate   step_date            date
        PerformedProcedureStepStartTime   step_time            time
        RequestAttributesSequence.ScheduledProcedureStepID  scheduled_step_id       text
        RequestAttributesSequence.RequestedProcedureID      requested_procedure_id  text
        """,
    ),
    **_keys(
        Level.INSTANCE,
        """
        SOPInstanceUID   sop_instance_uid  uid
        SOPClassUID      sop_class_uid     uid
        InstanceNumber   instance_number   number
        ContentDate      content_date      date
        ContentTime      content_time      time
        """,
    ),
}

# What every answer at a level has, when it is there.
RETURNED: Mapping[Level, tuple[str, ...]] = {
    Level.STUDY: (
        "SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName",
        "TimezoneOffsetFromUTC", "StudyDescription", "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
        "StudyInstanceUID", "StudyID",
    ),
    Level.SERIES: (
        "SpecificCharacterSet", "Modality", "TimezoneOffsetFromUTC", "SeriesDescription", "SeriesDate", "SeriesTime",
        "BodyPartExamined", "SeriesInstanceUID", "SeriesNumber", "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime", "RequestAttributesSequence",
    ),
    Level.INSTANCE: (
        "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "TimezoneOffsetFromUTC", "InstanceNumber", "Rows",
        "Columns", "BitsAllocated", "NumberOfFrames",
    ),
}  # fmt: skip

# What is kept besides, for `includefield`.
KEPT: Mapping[Level, tuple[str, ...]] = {
    Level.STUDY: (
        *RETURNED[Level.STUDY], "IssuerOfPatientID", "OtherPatientIDs", "OtherPatientIDsSequence", "PatientAge",
        "PatientSize", "PatientWeight", "PatientComments", "NameOfPhysiciansReadingStudy",
        "AdmittingDiagnosesDescription", "ProcedureCodeSequence", "PhysiciansOfRecord",
    ),
    Level.SERIES: (
        *RETURNED[Level.SERIES], "Manufacturer", "InstitutionName", "InstitutionalDepartmentName", "StationName",
        "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "PerformingPhysicianName", "OperatorsName",
        "Laterality", "PatientPosition", "ProtocolName", "PerformedProcedureStepID",
        "PerformedProcedureStepDescription", "FrameOfReferenceUID", "MagneticFieldStrength", "SequenceName",
    ),
    Level.INSTANCE: (
        *RETURNED[Level.INSTANCE], "ImageType", "InstanceCreationDate", "InstanceCreationTime", "AcquisitionDate",
        "AcquisitionTime", "AcquisitionDateTime", "ContentDate", "ContentTime", "AcquisitionNumber",
        "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SliceLocation",
        "EchoTime", "RepetitionTime", "TemporalPositionIdentifier", "SamplesPerPixel", "PhotometricInterpretation",
        "BitsStored", "PixelRepresentation", "WindowCenter", "WindowWidth", "ContentLabel", "ContentDescription",
        "ConceptNameCodeSequence", "CompletionFlag", "VerificationFlag", "DocumentTitle", "SegmentationType",
        "LossyImageCompression",
    ),
}  # fmt: skip

# Counted by the index rather than kept.
COMPUTED: Mapping[str, Level] = {
    "ModalitiesInStudy": Level.STUDY,
    "NumberOfStudyRelatedSeries": Level.STUDY,
    "NumberOfStudyRelatedInstances": Level.STUDY,
    "InstanceAvailability": Level.STUDY,
    "RetrieveURL": Level.STUDY,
    "NumberOfSeriesRelatedInstances": Level.SERIES,
    "AvailableTransferSyntaxUID": Level.INSTANCE,
}

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_KEYWORD = re.compile(r"[A-Z][A-Za-z0-9]{1,63}")


@lru_cache(maxsize=4096)
def keyword_of(name: str) -> str | None:
    """The keyword of an attribute that is named by keyword or by tag; None when there is no such attribute.

    A private or unknown tag is its own keyword, in capitals.
    """
    if _TAG.fullmatch(name):
        return keyword_for_tag(int(name, 16)) or name.upper()
    if _KEYWORD.fullmatch(name) and tag_for_keyword(name) is not None:
        return name
    return None


@lru_cache(maxsize=4096)
def tag_of(keyword: str) -> str:
    """Eight hexadecimal digits, as the DICOM JSON Model names an attribute."""
    tag = tag_for_keyword(keyword)
    return keyword if tag is None else f"{tag:08X}"


@lru_cache(maxsize=4096)
def vr_of(keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    return "UN" if tag is None else dictionary_VR(tag).partition(" ")[0]


KEPT_TAGS: Mapping[Level, frozenset[str]] = {
    level: frozenset(tag_of(keyword) for keyword in keywords) for level, keywords in KEPT.items()
}
RETURNED_TAGS: Mapping[Level, frozenset[str]] = {
    level: frozenset(tag_of(keyword) for keyword in keywords) for level, keywords in RETURNED.items()
}
