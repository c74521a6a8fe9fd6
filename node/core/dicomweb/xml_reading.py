"""The Native DICOM Model (PS3.19 A.1) as the DICOM JSON Model. The document is whatever somebody sent.

Read by expat's events: nothing is held but what is made of it, entities and a document type are refused, and so is
what lies deeper than sequences do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from node.core.dicomweb.model import Json
from node.errors import BadInstance

_MOST_DEPTH = 64  # of elements
_FORMS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def read_native(document: bytes) -> Json:
    """The model of one instance. Raises BadInstance for what is no such document."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = reader.begin, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.buffer_text = True
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, LookupError, ValueError) as malformed:  # also an encoding that nobody knows
        raise BadInstance("the metadata is no well-formed XML") from malformed
    return reader.model()


def _refuse_doctype(*_told: object) -> None:
    raise BadInstance("the metadata is XML with a document type: send it without")


@dataclass
class _Open:
    """An element that is not closed yet, and what is made of it."""

    name: str
    made: dict[str, Any]
    number: int = 0  # of a value; 0: the next one
    text: list[str] = field(default_factory=list)


class _Reader:
    def __init__(self) -> None:
        self._stack: list[_Open] = []
        self._made: Json | None = None

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(" ")[2]
        above = self._stack[-1].name if self._stack else ""
        if len(self._stack) >= _MOST_DEPTH or above not in _BELOW.get(name, ()):
            raise BadInstance("the metadata is no Native DICOM Model (PS3.19 A.1)")
        number = attributes.get("number", "0")
        if not (number.isascii() and number.isdecimal() and len(number) <= 5):
            raise BadInstance("the number of a value of the metadata is none")
        self._stack.append(_Open(name, _opened(name, attributes), int(number)))

    def text(self, text: str) -> None:
        self._stack[-1].text.append(text)

    def end(self, _name: str) -> None:
        one = self._stack.pop()
        if not self._stack:
            self._made = one.made
            return
        above = self._stack[-1].made
        text = "".join(one.text)
        if one.name == "DicomAttribute":
            if one.made["tag"] in above:
                raise BadInstance("an attribute of the metadata is there twice")
            above[one.made["tag"]] = one.made["attribute"]
        elif one.name in _VALUES:
            values = above["attribute"].setdefault("Value", [])
            values += [None] * (one.number - 1 - len(values))
            values.append(_VALUES[one.name](one.made, text))
        elif one.name == "InlineBinary":
            above["attribute"]["InlineBinary"] = "".join(text.split())
        elif one.name == "BulkData":
            above["attribute"]["BulkDataURI"] = one.made["uri"]
        else:
            above[one.name] = one.made if one.name in _FORMS else text

    def model(self) -> Json:
        return self._made or {}


def _opened(name: str, attributes: dict[str, str]) -> dict[str, Any]:
    if name == "DicomAttribute":
        if "tag" not in attributes:
            raise BadInstance("an attribute of the metadata has no tag")
        vr = {"vr": attributes["vr"]} if "vr" in attributes else {}
        return {"tag": attributes["tag"].upper(), "attribute": vr}
    if name == "BulkData":
        uri = attributes.get("uri") or attributes.get("URI")
        if not uri:
            raise BadInstance("bulk data of the metadata has no uri")
        return {"uri": uri}
    return {}


def _joined(groups: dict[str, Any]) -> Json:
    return {
        form: "^".join(str(groups[form].get(component, "")) for component in _COMPONENTS).rstrip("^")
        for form in _FORMS
        if form in groups
    }


_VALUES: Mapping[str, Callable[[dict[str, Any], str], Any]] = {
    "Value": lambda _made, text: text or None,
    "Item": lambda made, _text: made,
    "PersonName": lambda made, _text: _joined(made),
}
_BELOW = {
    "NativeDicomModel": ("",),
    "DicomAttribute": ("NativeDicomModel", "Item"),
    "Value": ("DicomAttribute",),
    "Item": ("DicomAttribute",),
    "PersonName": ("DicomAttribute",),
    "InlineBinary": ("DicomAttribute",),
    "BulkData": ("DicomAttribute",),
    **dict.fromkeys(_FORMS, ("PersonName",)),
    **dict.fromkeys(_COMPONENTS, _FORMS),
}
