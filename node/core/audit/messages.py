"""Lines of the trail, and what the ledger received, as DICOM audit messages (PS3.15 A.5.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from node.core.audit.lines import Line, What
from node.core.audit.xml import MINOR, SERIOUS, SUCCESS, Code, Message, Object, Participant, SopClass

_SECURITY, _NODE, _ROLE = "13", "2", "1"


def _dcm(code: str, meaning: str) -> Code:
    return Code(code, "DCM", meaning)


# Events (CID 400) and their types (CID 401, 402, 403).
APPLICATION_ACTIVITY = _dcm("110100", "Application Activity")
AUDIT_LOG_USED = _dcm("110101", "Audit Log Used")
INSTANCES_ACCESSED = _dcm("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = _dcm("110104", "DICOM Instances Transferred")
QUERY = _dcm("110112", "Query")
SECURITY_ALERT = _dcm("110113", "Security Alert")
USER_AUTHENTICATION = _dcm("110114", "User Authentication")
_START, _STOP = _dcm("110120", "Application Start"), _dcm("110121", "Application Stop")
_LOGIN, _LOGOUT = _dcm("110122", "Login"), _dcm("110123", "Logout")
_NETWORK = _dcm("110128", "Network Configuration")
_SOFTWARE = _dcm("110131", "Software Configuration")
_RESTRICTED = _dcm("110132", "Use of Restricted Function")
_USER_CHANGED = _dcm("110137", "User Security Attributes Changed")
# Roles (CID 402) and kinds of identifiers (CID 404, RFC 3881).
_APPLICATION = _dcm("110150", "Application")
_DESTINATION, _SOURCE = _dcm("110152", "Destination Role ID"), _dcm("110153", "Source Role ID")
_STUDY, _SOP_CLASS = _dcm("110180", "Study Instance UID"), _dcm("110181", "SOP Class UID")
_NODE_ID = _dcm("110182", "Node ID")
_PATIENT = Code("2", "RFC-3881", "Patient Number")
_URI = Code("12", "RFC-3881", "URI")
_STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


@dataclass(frozen=True)
class Study:
    """What is known of a study that was looked at or received."""

    uid: str
    patient_id: str = ""
    patient_name: str = ""
    sop_classes: Sequence[SopClass] = ()


@dataclass(frozen=True)
class Received:
    """What one association or request brought of one study."""

    at: datetime
    association: str
    calling_ae: str
    called_ae: str
    host: str
    study: Study


@dataclass(frozen=True)
class Source:
    """The node that tells."""

    ae_title: str
    host: str = ""

    def process(self, *, requestor: bool = False, role: Code | None = None) -> Participant:
        return Participant("mricore-node", requestor, self.host, role, f"AETITLES={self.ae_title}")


def message_of(line: Line, source: Source, study: Study | None = None) -> Message:
    """Any line has a message; `study` is what is known of the one that it names."""
    make = _MADE.get(line.what, _alert)
    return make(line, source, study)


def received(one: Received, source: Source) -> Message:
    """A.5.3.7: instances came here."""
    return Message(
        INSTANCES_TRANSFERRED, "C", one.at, SUCCESS,
        [
            Participant(one.calling_ae or one.host or "unknown", True, one.host, _SOURCE, f"AETITLES={one.calling_ae}"),
            source.process(role=_DESTINATION),
        ],
        source.ae_title, objects=_of_study(one.study),
    )  # fmt: skip


def _signing(line: Line, source: Source, _study: Study | None) -> Message:
    """A.5.3.11 User Authentication."""
    name = line.object.removeprefix("user ")
    kind = _LOGOUT if line.what == What.SIGNED_OUT else _LOGIN
    outcome = SUCCESS if line.ok else SERIOUS if line.what == What.LOCKED_OUT else MINOR
    who = Participant(name, True, line.address)
    why = "" if line.ok else line.reason
    return Message(USER_AUTHENTICATION, "E", line.at, outcome, [who, source.process()], source.ae_title, [kind],
                   outcome_text=why)  # fmt: skip


def _activity(line: Line, source: Source, _study: Study | None) -> Message:
    """A.5.3.1 Application Activity."""
    kind = _START if line.what == What.STARTED else _STOP
    who = [source.process(role=_APPLICATION)]
    return Message(APPLICATION_ACTIVITY, "E", line.at, SUCCESS, who, source.ae_title, [kind])


def _log_used(line: Line, source: Source, _study: Study | None) -> Message:
    """A.5.3.2 Audit Log Used."""
    log = Object("/api/v1/audit", _URI, _NODE, _SECURITY, name="Security Audit Log")
    return Message(AUDIT_LOG_USED, "R", line.at, SUCCESS, [_person(line)], source.ae_title, objects=[log])


def _accessed(line: Line, source: Source, study: Study | None) -> Message:
    """A.5.3.6 DICOM Instances Accessed."""
    named = study or Study(line.object.removeprefix("study "))
    who = [_person(line), source.process()]
    return Message(INSTANCES_ACCESSED, "R", line.at, SUCCESS, who, source.ae_title, objects=_of_study(named))


def _queried(line: Line, source: Source, _study: Study | None) -> Message:
    """A.5.3.10 Query."""
    asked = Object(
        _STUDY_ROOT_FIND, _SOP_CLASS, _NODE, "3", query=f"{line.object}?{line.after}".encode("utf-8", "replace"),
        details=[("MessageType", "QIDO-RS")],
    )  # fmt: skip
    who = [Participant(line.actor, True, line.address, _SOURCE), source.process(role=_DESTINATION)]
    return Message(QUERY, "E", line.at, SUCCESS, who, source.ae_title, objects=[asked])


def _alert(line: Line, source: Source, _study: Study | None) -> Message:
    """A.5.3.10 Security Alert: whatever changes what the node does, or was refused."""
    said = [
        (name, text) for name, text in (("before", line.before), ("after", line.after), ("reason", line.reason)) if text
    ]
    about = f"{line.what}: {line.object}" + "".join(f"; {name} {text}" for name, text in said)
    changed = Object(
        f"{source.ae_title} {line.object}", _NODE_ID, _NODE, _SECURITY, name=line.object,
        details=[("Alert Description", about)],
    )  # fmt: skip
    outcome = SUCCESS if line.ok else MINOR
    why = "" if line.ok else line.reason
    return Message(SECURITY_ALERT, "E", line.at, outcome, [_person(line), source.process()], source.ae_title,
                   [_kind(line)], [changed], why)  # fmt: skip


def _kind(line: Line) -> Code:
    if line.what == What.REFUSED:
        return _RESTRICTED
    return _KINDS.get(line.what.partition(".")[0], Code(line.what, "99MRICORE", line.what))


_KINDS = {
    "user": _USER_CHANGED, "token": _USER_CHANGED, "rules": _SOFTWARE, "model": _SOFTWARE, "destination": _NETWORK,
    "source": _NETWORK, "sender": _NETWORK,
}  # fmt: skip

_MADE: dict[str, Callable[[Line, Source, Study | None], Message]] = {
    What.SIGNED_IN: _signing,
    What.SIGN_IN_FAILED: _signing,
    What.LOCKED_OUT: _signing,
    What.SIGNED_OUT: _signing,
    What.STARTED: _activity,
    What.STOPPED: _activity,
    What.AUDIT_READ: _log_used,
    What.RETRIEVED: _accessed,
    What.QUERIED: _queried,
}


def _person(line: Line) -> Participant:
    return Participant(line.actor, True, line.address)


def _of_study(study: Study) -> list[Object]:
    seen = Object(study.uid, _STUDY, _NODE, "3", sop_classes=study.sop_classes)
    who = Object(study.patient_id or "unknown", _PATIENT, "1", _ROLE, name=study.patient_name or "unknown")
    return [seen, who]
