"""The parts of a DICOM audit message (PS3.15 A.5.1) and how they are written."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, tostring

# Outcomes (A.5.1.1).
SUCCESS, MINOR, SERIOUS = "0", "4", "8"


@dataclass(frozen=True)
class Code:
    """A coded value."""

    code: str
    system: str
    meaning: str

    def onto(self, parent: Element, name: str) -> None:
        told = {"csd-code": self.code, "codeSystemName": self.system, "originalText": self.meaning}
        SubElement(parent, name, told)


@dataclass(frozen=True)
class Participant:
    """Who took part: a person, or a process."""

    user: str
    requestor: bool
    address: str = ""
    role: Code | None = None
    alternative: str = ""  # of a process: its AE title, as AETITLES=… (A.5.2)
    media: Code | None = None  # what it is, where it is no process (CID 405)

    def onto(self, message: Element) -> None:
        told = {"UserID": _clean(self.user), "UserIsRequestor": "true" if self.requestor else "false"}
        if self.alternative:
            told["AlternativeUserID"] = _clean(self.alternative)
        if self.address:
            told["NetworkAccessPointID"] = _clean(self.address)
            told["NetworkAccessPointTypeCode"] = "2" if _is_an_address(self.address) else "1"
        made = SubElement(message, "ActiveParticipant", told)
        if self.role:
            self.role.onto(made, "RoleIDCode")
        if self.media:
            self.media.onto(SubElement(made, "MediaIdentifier"), "MediaType")


@dataclass(frozen=True)
class SopClass:
    """So many instances of a class."""

    uid: str
    instances: int


@dataclass(frozen=True)
class Object:
    """What it was done to."""

    identifier: str
    kind: Code
    type_code: str  # 1 person, 2 system object
    role: str  # A.5.1.2.2
    name: str = ""
    query: bytes | None = None
    details: Sequence[tuple[str, str]] = field(default_factory=tuple)
    sop_classes: Sequence[SopClass] = field(default_factory=tuple)

    def onto(self, message: Element) -> None:
        told = {
            "ParticipantObjectID": _clean(self.identifier),
            "ParticipantObjectTypeCode": self.type_code,
            "ParticipantObjectTypeCodeRole": self.role,
        }
        made = SubElement(message, "ParticipantObjectIdentification", told)
        self.kind.onto(made, "ParticipantObjectIDTypeCode")
        if self.query is not None:
            SubElement(made, "ParticipantObjectQuery").text = base64.b64encode(self.query).decode()
        else:
            SubElement(made, "ParticipantObjectName").text = _clean(self.name or self.identifier)
        for name, value in self.details:
            coded = base64.b64encode(value.encode("utf-8", "replace")).decode()
            SubElement(made, "ParticipantObjectDetail", {"type": name, "value": coded})
        if self.sop_classes:
            described = SubElement(made, "ParticipantObjectDescription")
            for one in self.sop_classes:
                SubElement(described, "SOPClass", {"UID": one.uid, "NumberOfInstances": str(one.instances)})


@dataclass(frozen=True)
class Message:
    """One audit message."""

    event: Code
    action: str  # C, R, U, D, E
    at: datetime
    outcome: str
    participants: Sequence[Participant]
    source: str  # the node: its AE title
    types: Sequence[Code] = ()
    objects: Sequence[Object] = ()
    outcome_text: str = ""

    def xml(self) -> bytes:
        """UTF-8, without a declaration: syslog says how it is encoded."""
        message = Element("AuditMessage")
        told = {
            "EventActionCode": self.action,
            "EventDateTime": self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "EventOutcomeIndicator": self.outcome,
        }
        event = SubElement(message, "EventIdentification", told)
        self.event.onto(event, "EventID")
        for kind in self.types:
            kind.onto(event, "EventTypeCode")
        if self.outcome_text:
            SubElement(event, "EventOutcomeDescription").text = _clean(self.outcome_text)
        for participant in self.participants:
            participant.onto(message)
        source = SubElement(message, "AuditSourceIdentification", {"AuditSourceID": _clean(self.source)})
        SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})
        for one in self.objects:
            one.onto(message)
        written: bytes = tostring(message, encoding="utf-8", xml_declaration=False)
        return written


def _clean(text: str) -> str:
    """What XML 1.0 can hold (2.2), in one line; never empty, for a token would not be there."""
    fit = "".join(
        letter if letter.isprintable() and ord(letter) not in range(0xD800, 0xE000) else " " for letter in text
    )
    return " ".join(fit.replace("\ufffe", " ").replace("\uffff", " ").split()) or "-"


def _is_an_address(text: str) -> bool:
    return ":" in text or all(part.isdecimal() for part in text.split("."))
