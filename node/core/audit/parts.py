"""What several audit messages are made of: the codes of PS3.16, the node, a study and its patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.core.audit.lines import Line
from node.core.audit.xml import Code, Object, Participant, SopClass

SECURITY, NODE, PATIENT = "13", "2", "1"  # ParticipantObjectTypeCodeRole, ParticipantObjectTypeCode (A.5.1.2)
REPORT = "3"
AE_PREFIX = "AE "  # of an actor that is an application entity: no user's name has a blank


def dcm(code: str, meaning: str) -> Code:
    return Code(code, "DCM", meaning)


# Roles (CID 402) and kinds of identifiers (CID 404, RFC 3881).
APPLICATION = dcm("110150", "Application")
DESTINATION, SOURCE = dcm("110152", "Destination Role ID"), dcm("110153", "Source Role ID")
DESTINATION_MEDIA, URI_MEDIA = dcm("110154", "Destination Media"), dcm("110037", "URI")
STUDY, SOP_CLASS = dcm("110180", "Study Instance UID"), dcm("110181", "SOP Class UID")
NODE_ID = dcm("110182", "Node ID")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")
URI = Code("12", "RFC-3881", "URI")


@dataclass(frozen=True)
class Study:
    """What is known of a study that was looked at, received or sent."""

    uid: str
    patient_id: str = ""
    patient_name: str = ""
    sop_classes: Sequence[SopClass] = ()


@dataclass(frozen=True)
class Source:
    """The node that tells."""

    ae_title: str
    host: str = ""

    def process(self, *, requestor: bool = False, role: Code | None = None) -> Participant:
        return Participant("mricore-node", requestor, self.host, role, f"AETITLES={self.ae_title}")


def person(line: Line, role: Code | None = None) -> Participant:
    """Who did it: somebody, or an application entity."""
    if line.actor.startswith(AE_PREFIX):
        ae_title = line.actor.removeprefix(AE_PREFIX)
        return Participant(ae_title, True, line.address, role, f"AETITLES={ae_title}")
    return Participant(line.actor, True, line.address, role)


def of_study(study: Study) -> list[Object]:
    seen = Object(study.uid, STUDY, NODE, REPORT, sop_classes=study.sop_classes)
    who = Object(study.patient_id or "unknown", PATIENT_NUMBER, PATIENT, PATIENT, name=study.patient_name or "unknown")
    return [seen, who]


def named(line: Line) -> Study:
    """The study that a line is about, as far as the line knows it."""
    return Study(line.object.removeprefix("study ").partition(" ")[0])
