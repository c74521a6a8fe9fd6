"""The DICOM JSON Model as the Native DICOM Model (PS3.19 A.1)."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, tostring

from pydicom.datadict import keyword_for_tag

from node.core.dicomweb.model import Json

_NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"  # a name, not an address
_FORMS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


def native(model: Json) -> bytes:
    """One data set as a document."""
    root = Element("NativeDicomModel", {"xmlns": _NAMESPACE, "xml:space": "preserve"})
    _add(root, model)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _add(parent: Element, model: Json) -> None:
    for tag, attribute in model.items():
        names = {"tag": tag, "vr": attribute["vr"]}
        if keyword := keyword_for_tag(int(tag, 16)):
            names["keyword"] = keyword
        made = SubElement(parent, "DicomAttribute", names)
        if "BulkDataURI" in attribute:
            SubElement(made, "BulkData", {"uri": _clean(attribute["BulkDataURI"])})
        elif "InlineBinary" in attribute:
            SubElement(made, "InlineBinary").text = attribute["InlineBinary"]
        for number, value in enumerate(attribute.get("Value", ()), 1):
            _add_value(made, attribute["vr"], str(number), value)


def _add_value(made: Element, vr: str, number: str, value: object) -> None:
    if vr == "SQ" and isinstance(value, dict):
        _add(SubElement(made, "Item", {"number": number}), value)
    elif vr == "PN" and isinstance(value, dict):
        name = SubElement(made, "PersonName", {"number": number})
        for form in _FORMS:
            if form in value:
                group = SubElement(name, form)
                for component, text in zip(_COMPONENTS, str(value[form]).split("^"), strict=False):
                    if text:
                        SubElement(group, component).text = _clean(text)
    elif value is not None:
        SubElement(made, "Value", {"number": number}).text = _clean(str(value))


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", text)
