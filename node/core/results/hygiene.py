"""What a result copies from its sources: legal Patient and Study attributes, and nothing invented.

Real headers carry illegal dates, sexes, codes and character sets, and lack attributes that every object must have
(PS3.3 C.7.1.1, C.7.2.1). Here each attribute that results inherit is read, decoded and judged on its own:

- a legal value is copied as plain text and written again in UTF-8 (ISO_IR 192);
- an illegal one is left out, or left empty where the attribute must be there (Type 2), and a note says so;
- PatientID, StudyInstanceUID and AccessionNumber are what archives match on: they are copied as they are, even
  where they break a length limit. Where they cannot be read, or there is no usable StudyInstanceUID, there is no
  result.

The source headers are never changed. Notes name attributes, never their values.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import config
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.valuerep import validate_value

from node.errors import NotProcessable

CHARACTER_SET = "ISO_IR 192"

# Present in every object, empty where unknown (Type 2): PS3.3 tables C.7-1 and C.7-3
_REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)
# Copied where legal: PS3.3 C.7.1.1 Patient, C.7.2.1 General Study, C.7.2.2 Patient Study, C.12.1 SOP Common
_OPTIONAL = (
    "IssuerOfPatientID",
    "OtherPatientNames",
    "PatientBirthTime",
    "EthnicGroup",
    "PatientComments",
    "QualityControlSubject",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "ProcedureCodeSequence",
    "AdmittingDiagnosesDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "Occupation",
    "AdditionalPatientHistory",
    "TimezoneOffsetFromUTC",
)
_MATCHED_ON = frozenset({"PatientID", "AccessionNumber"})
# Enumerated values (PS3.3); a value outside is as illegal as one that breaks its VR
_ENUMERATED = {
    "PatientSex": {"M", "F", "O"},
    "PatientIdentityRemoved": {"YES", "NO"},
    "QualityControlSubject": {"YES", "NO"},
}
_POSITIVE = frozenset({"PatientSize", "PatientWeight"})  # scanners write 0 for "not asked"
# One attribute that makes no sense, or is not allowed, without another one
_NEEDS = (("PatientIdentityRemoved", ("DeidentificationMethod", "DeidentificationMethodCodeSequence")),)
_VALUES_AT_MOST_ONE = frozenset(_REQUIRED) | {"StudyDescription", "PatientAge", "PatientSize", "PatientWeight"}
_SHAPES = {"TimezoneOffsetFromUTC": re.compile(r"[+-](0\d|1[0-4])[0-5]\d")}
_BEST_EFFORT_UID = re.compile(r"[0-9.]{1,64}")
_KEPT = "{} is not legal and was kept, because archives match on it"
_REPLACED = "\ufffd"  # what bytes become that the declared character set does not have
_EARLIEST = "1850"  # anonymisers write dates of the year 1; no patient and no study is from before
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TEXT_WITH_LINES = frozenset({"LT", "ST", "UT"})
_CODE_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")

# What pydicom raises on values that it cannot decode: none of it tells more than "illegal"
UNDECODABLE = (ValueError, TypeError, ArithmeticError, AttributeError, LookupError, NotImplementedError)

Value = str | list[str] | list[Dataset]


@dataclass(frozen=True)
class Inherited:
    """The attributes that every result of these sources carries, and what was wrong with the sources' own."""

    header: Dataset
    notes: tuple[str, ...]


def inherit(headers: Sequence[Dataset]) -> Inherited:
    """The Patient and Study attributes of a result, read from the first of the headers.

    `headers` are those of the source images, one series. Raises NotProcessable where they are not of one patient,
    study and series, or where the study has no UID that can be written.
    """
    _same_for_all(headers)
    source, out = headers[0], Dataset()
    out.SpecificCharacterSet = CHARACTER_SET
    study = uid_of(source, "StudyInstanceUID")
    out.add(_element("StudyInstanceUID", study))
    notes = [] if _legal("StudyInstanceUID", study) else [_KEPT.format("StudyInstanceUID")]
    for keyword in _REQUIRED + _OPTIONAL:
        value, fault = _matched_on(source, keyword) if keyword in _MATCHED_ON else legal_value(source, keyword)
        if fault:
            notes.append(fault if keyword in _MATCHED_ON else f"{keyword} is {fault} and was not copied")
        if value or keyword in _REQUIRED:
            out.add(_element(keyword, value))
    for keyword, partners in _NEEDS:
        if keyword in out and not any(partner in out for partner in partners):
            del out[keyword]
    return Inherited(out, tuple(notes))


def uid_of(header: Dataset, keyword: str) -> str:
    """A UID that results must carry as it is. Raises NotProcessable where it cannot be written at all.

    Leading zeros in a component are illegal (PS3.5 9.1) yet found in the wild, and archives match on the text:
    such a UID is kept. One that is missing, longer than 64 or not made of digits and dots is refused.
    """
    uid = text_of(header, keyword)
    if not usable_uid(uid):
        raise NotProcessable(f"The images have no usable {keyword} (PS3.5 9.1), so no result can refer to them")
    return uid


def usable_uid(uid: str) -> bool:
    """True for 1 to 64 digits and dots."""
    return bool(_BEST_EFFORT_UID.fullmatch(uid))


def text_of(header: Dataset, keyword: str) -> str:
    """A value as decoded text without padding and control characters; "" where absent or undecodable."""
    value = _plain(header, keyword)
    return "\\".join(map(str, value)) if isinstance(value, list) else value or ""


def legal_value(header: Dataset, keyword: str) -> tuple[Value, str]:
    """(value, fault) of one attribute: ("", "") when it is absent or empty, ("", why not) when it is not legal."""
    if keyword not in header:
        return "", ""
    value = _plain(header, keyword)
    if value is None:
        return "", "not decodable"
    if not value:
        return "", ""
    if dictionary_VR(keyword) == "SQ":
        items = [_item(item) for item in value if isinstance(item, Dataset)]
        return ([], "not made of legal items") if None in items else ([i for i in items if i is not None], "")
    return (value, "") if _legal(keyword, value) else ("", "not legal")


def legal_text(header: Dataset, keyword: str) -> str:
    """One legal text value, "" where there is none."""
    value, _ = legal_value(header, keyword)
    return value if isinstance(value, str) else str(value[0]) if value else ""


def _matched_on(header: Dataset, keyword: str) -> tuple[str, str]:
    """(value, note) of an attribute that must not be changed: only its padding goes (PS3.5 6.2)."""
    if keyword not in header:
        return "", ""
    try:
        value = header[keyword].value
    except UNDECODABLE:
        value = _REPLACED
    text = "\\".join(map(str, value)) if isinstance(value, MultiValue | list) else str(value or "")
    if _REPLACED in text:
        raise NotProcessable(f"{keyword} of the images cannot be read in the character set that they declare")
    text = text.strip(" \0")
    return text, "" if not text or _legal(keyword, text) else _KEPT.format(keyword)


def _same_for_all(headers: Sequence[Dataset]) -> None:
    for keyword, called in (
        ("PatientID", "patient"),
        ("StudyInstanceUID", "study"),
        ("SeriesInstanceUID", "series"),
    ):
        if len({text_of(header, keyword) for header in headers}) != 1:
            raise NotProcessable(f"The images do not name one {called}: {keyword} differs between them")


def _plain(header: Dataset, keyword: str) -> Value | None:
    """Decoded text, a list of texts or of items; None where the bytes cannot be decoded."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in header:
        return ""
    try:
        element = header[tag]
        value = element.value
        if element.VR == "SQ":
            return list(value)
        lines = element.VR in _TEXT_WITH_LINES
        if isinstance(value, MultiValue | list | tuple):
            return [_clean_text(str(part), lines) for part in value]
        return "" if value is None else _clean_text(str(value), lines)
    except UNDECODABLE:
        return None


def _clean_text(text: str, lines: bool) -> str:
    """Without padding, control characters and lone surrogates (PS3.5 6.2 allows CR, LF and FF in ST, LT, UT only)."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    if lines:
        return "".join(c for c in text if c in "\r\n\f" or unicodedata.category(c) != "Cc").strip(" \0")
    return _CONTROL.sub("", text).strip()


def _legal(keyword: str, value: Value) -> bool:
    values = value if isinstance(value, list) else [value]
    if keyword in _VALUES_AT_MOST_ONE and len(values) > 1:
        return False
    vr, allowed = dictionary_VR(keyword), _ENUMERATED.get(keyword)
    for one in map(str, values):
        if not _legal_text(vr, one) or (allowed is not None and one not in allowed):
            return False
        if keyword in _SHAPES and not _SHAPES[keyword].fullmatch(one):
            return False
        if keyword in _POSITIVE and not float(one) > 0:
            return False
    return True


def _legal_text(vr: str, text: str) -> bool:
    """True when one value obeys the length and character rules of its VR (PS3.5 6.2)."""
    if vr not in _TEXT_WITH_LINES and ("\\" in text or _CONTROL.search(text)):
        return False
    if vr in ("DA", "TM") and ("-" in text or (vr == "DA" and not on_calendar(text))):
        return False  # ranges are for queries
    if vr == "PN" and any(group.count("^") > 4 for group in text.split("=")):
        return False
    try:
        validate_value(vr, text, config.RAISE)
    except ValueError:
        return False
    return True


def on_calendar(text: str) -> bool:
    """True for a DA of a day that there was, in a year that a patient or a study can be from."""
    if not re.fullmatch(r"[0-9]{8}", text) or text < _EARLIEST:
        return False
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def _item(source: Dataset) -> Dataset | None:
    """A copy of a sequence item with standard text attributes only; None where one of them is not legal.

    An item that has a part of a code must have all of it (PS3.3 8.8).
    """
    out = Dataset()
    for tag in source.keys():  # noqa: SIM118 # iterating the items would decode them, and may raise
        keyword = keyword_for_tag(tag)
        if not keyword or dictionary_VR(keyword) in ("OB", "OW", "UN"):
            continue  # private, unknown or not text
        value, fault = legal_value(source, keyword)
        if fault:
            return None
        if value:
            out.add(_element(keyword, value))
    coded = any(keyword in out for keyword in (*_CODE_VALUES, "CodingSchemeDesignator", "CodeMeaning"))
    whole = "CodeMeaning" in out and any(keyword in out for keyword in _CODE_VALUES)
    return out if len(out) and (whole or not coded) else None


def _element(keyword: str, value: Value) -> DataElement:
    # The value was judged above, or is kept on purpose although it is not legal: pydicom need not judge again
    return DataElement(Tag(keyword), dictionary_VR(keyword), value, validation_mode=config.IGNORE)
