"""Store Instances Response (PS3.18 10.5.3 and I.2): what became of every part, and the status for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from node.core.encoded import UNKNOWN, Uids
from node.core.status import CANNOT_UNDERSTAND, DATA_SET_DOES_NOT_MATCH, OUT_OF_RESOURCES
from node.web.dicomweb.media import DICOM_JSON, DICOM_XML

# Failure Reasons beside those of C-STORE (PS3.18 I.2.2).
PROCESSING_FAILURE = 0x0110
SOP_CLASS_NOT_SUPPORTED = 0x0122
TRANSFER_SYNTAX_NOT_SUPPORTED = 0xC122

OK, ACCEPTED, BAD_REQUEST, CONFLICT, TOO_LARGE, UNSUPPORTED, UNAVAILABLE = 200, 202, 400, 409, 413, 415, 503

_XML_NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"  # a name, not an address


@dataclass(frozen=True)
class Failure:
    """A part that was not stored."""

    reason: int  # Failure Reason (0008,1197)
    sentence: str
    status: int  # for the request, when nothing at all was stored
    uids: Uids = UNKNOWN  # as far as they are known


@dataclass(frozen=True)
class StoreResponse:
    """What became of the parts of one request, in their order."""

    stored: tuple[Uids, ...]
    failures: tuple[Failure, ...]

    @property
    def status(self) -> int:
        """The status of the request (PS3.18 table 10.5.3-1)."""
        if self.stored:
            return ACCEPTED if self.failures else OK
        kinds = {failure.status for failure in self.failures}
        if len(kinds) == 1:
            return kinds.pop()
        return CONFLICT if kinds else BAD_REQUEST

    @property
    def sentences(self) -> list[str]:
        """Each different reason once."""
        return list(dict.fromkeys(failure.sentence for failure in self.failures))


def failure(status: int, sentence: str, uids: Uids) -> Failure:
    """The failure that a C-STORE status other than Success stands for."""
    kinds = {CANNOT_UNDERSTAND: BAD_REQUEST, OUT_OF_RESOURCES: UNAVAILABLE, DATA_SET_DOES_NOT_MATCH: CONFLICT}
    return Failure(status, sentence, kinds.get(status, CONFLICT), uids)


@dataclass(frozen=True)
class _Attribute:
    tag: str
    vr: str
    keyword: str
    values: tuple[object, ...]  # texts, numbers, or items: tuples of attributes


def _attributes(response: StoreResponse, base: str) -> tuple[_Attribute, ...]:
    named = [one for one in response.failures if one.uids.sop_instance_uid]
    others = [one for one in response.failures if not one.uids.sop_instance_uid]
    sequences = (
        ("00081198", "FailedSOPSequence", [(*_reference(one.uids), _reason(one)) for one in named]),
        ("00081199", "ReferencedSOPSequence", [(*_reference(uids), _url(uids, base)) for uids in response.stored]),
        ("0008119A", "OtherFailuresSequence", [(_reason(one),) for one in others]),
    )
    found = tuple(_Attribute(tag, "SQ", keyword, tuple(items)) for tag, keyword, items in sequences if items)
    return (_study_url(response, base), *found)


def _study_url(response: StoreResponse, base: str) -> _Attribute:
    """Where the study is to be had (PS3.18 table I.2-1, type 2); without a value where it is not one, too."""
    studies = {uids.study_instance_uid for uids in response.stored}
    return _retrieve_url(base, "studies", *studies) if len(studies) == 1 else _retrieve_url("")


def _url(uids: Uids, base: str) -> _Attribute:
    parts = ("studies", uids.study_instance_uid, "series", uids.series_instance_uid, "instances", uids.sop_instance_uid)
    return _retrieve_url(base, *parts)


def _retrieve_url(base: str, *parts: str) -> _Attribute:
    """Without a value (type 2) where this process does not show what it stores."""
    return _Attribute("00081190", "UR", "RetrieveURL", (base + "/".join(parts),) if base else ())


def _reference(uids: Uids) -> tuple[_Attribute, ...]:
    return (
        _Attribute("00081150", "UI", "ReferencedSOPClassUID", _text(uids.sop_class_uid)),
        _Attribute("00081155", "UI", "ReferencedSOPInstanceUID", _text(uids.sop_instance_uid)),
    )


def _reason(one: Failure) -> _Attribute:
    return _Attribute("00081197", "US", "FailureReason", (one.reason,))


def _text(received: str) -> tuple[object, ...]:
    """A UID as received, without what JSON or XML would not carry."""
    kept = "".join(letter for letter in received if letter.isprintable())[:128]
    return (kept,) if kept else ()


def encode(response: StoreResponse, media_type: str, base: str = "") -> bytes:
    """The response in one of `FORMS`; `base`: the URL of the service where it also retrieves."""
    return FORMS[media_type](_attributes(response, base))


def _json(attributes: Iterable[_Attribute]) -> bytes:
    return json.dumps(_json_object(attributes)).encode()


def _json_object(attributes: Iterable[_Attribute]) -> dict[str, object]:
    """The DICOM JSON Model (PS3.18 F.2)."""
    made: dict[str, object] = {}
    for one in attributes:
        values = [_json_object(value) if isinstance(value, tuple) else value for value in one.values]
        made[one.tag] = {"vr": one.vr, "Value": values} if values else {"vr": one.vr}
    return made


def _xml(attributes: Iterable[_Attribute]) -> bytes:
    """The Native DICOM Model (PS3.19 A.1)."""
    root = Element("NativeDicomModel", {"xmlns": _XML_NAMESPACE, "xml:space": "preserve"})
    _add_xml(root, attributes)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _add_xml(parent: Element, attributes: Iterable[_Attribute]) -> None:
    for one in attributes:
        made = SubElement(parent, "DicomAttribute", {"tag": one.tag, "vr": one.vr, "keyword": one.keyword})
        for number, value in enumerate(one.values, 1):
            if isinstance(value, tuple):
                _add_xml(SubElement(made, "Item", {"number": str(number)}), value)
            else:
                SubElement(made, "Value", {"number": str(number)}).text = str(value)


FORMS: dict[str, Callable[[Iterable[_Attribute]], bytes]] = {DICOM_JSON: _json, DICOM_XML: _xml}
