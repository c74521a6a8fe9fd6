"""What may leave the site of a header, and of a line of text: for support, never for research.

Kept is what PS3.15 Annex E's Basic Application Level Confidentiality Profile leaves alone and an engineer needs: how
images were acquired and encoded. Nothing else is copied, private elements and sequences never. UIDs become others, the
same for the same key only, so that what belongs together is still seen to.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection

from pydicom.dataset import Dataset

from node.core.encoded import UNREADABLE

TECHNICAL = (
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "Modality", "Manufacturer", "ManufacturerModelName",
    "SoftwareVersions", "MagneticFieldStrength", "BodyPartExamined", "ScanningSequence", "SequenceVariant",
    "ScanOptions", "MRAcquisitionType", "AngioFlag", "SliceThickness", "RepetitionTime", "EchoTime", "InversionTime",
    "NumberOfAverages", "EchoNumbers", "SpacingBetweenSlices", "NumberOfPhaseEncodingSteps", "EchoTrainLength",
    "PercentSampling", "PercentPhaseFieldOfView", "PixelBandwidth", "ReconstructionDiameter", "AcquisitionMatrix",
    "InPlanePhaseEncodingDirection", "FlipAngle", "PatientPosition", "ImagePositionPatient", "ImageOrientationPatient",
    "TemporalPositionIdentifier", "NumberOfTemporalPositions", "ImagesInAcquisition", "SliceLocation",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "PixelSpacing", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SmallestImagePixelValue",
    "LargestImagePixelValue", "RescaleIntercept", "RescaleSlope", "RescaleType", "LossyImageCompression",
    "DiffusionBValue", "SegmentationType", "SegmentsOverlap",
)  # fmt: skip
REPLACED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")

_TEXT = re.compile(r"[\w .,;:()+/*'\\-]{0,64}")
_UID = re.compile(r"(?<![\d.])[0-2](?:\.(?:0|[1-9]\d*)){3,}(?![\d.])")
_STANDARD = "1.2.840.10008."  # what the standard itself defines tells of nobody
_LEAST_TOLD = 3  # characters: what is shorter is in every text


def technical(ds: Dataset, key: bytes, never: Collection[str] = ()) -> dict[str, object]:
    """The allowed attributes of a header by keyword, as text. A value that holds one of `never` is left out."""
    found: dict[str, object] = {}
    for keyword in (*TECHNICAL, *REPLACED):
        try:
            value = ds.get(keyword)
            text = "" if value is None else str(value)
        except UNREADABLE:
            continue
        if keyword in REPLACED:
            text = replaced(text, key)
        if text and _TEXT.fullmatch(text) and not _tells(text, never):
            found[keyword] = text
    return found


def without_uids(text: str, key: bytes) -> str:
    """The text with every UID replaced that the standard does not define."""
    return _UID.sub(lambda found: replaced(found[0], key), text)


def replaced(uid: str, key: bytes) -> str:
    """Another name for a UID; the same one for the same key."""
    if not uid or uid.startswith(_STANDARD):
        return uid
    return f"uid-{hmac.new(key, uid.encode(), hashlib.sha256).hexdigest()[:12]}"


def without(text: str, never: Collection[str]) -> str:
    """The text with what must not be told struck out, whatever its case; as whole words, the longest first."""
    told = sorted((one for one in never if len(one) >= _LEAST_TOLD), key=len, reverse=True)
    if not told:
        return text
    return re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, told))})(?!\w)", "[removed]", text, flags=re.IGNORECASE)


def _tells(text: str, never: Collection[str]) -> bool:
    return without(text, never) != text
