"""Lines of the trail as DICOM audit messages (PS3.15 A.5.3)."""

from __future__ import annotations

from collections.abc import Callable

from node.core.audit.identifier import EXPLICIT_LITTLE_ENDIAN, identifier_bytes
from node.core.audit.lines import Line, What
from node.core.audit.parts import (
    APPLICATION,
    DESTINATION,
    NODE,
    NODE_ID,
    REPORT,
    SECURITY,
    SOP_CLASS,
    SOURCE,
    URI,
    Source,
    Study,
    dcm,
    named,
    of_study,
    person,
)
from node.core.audit.transfers import delivered, sent
from node.core.audit.xml import MINOR, SERIOUS, SUCCESS, Code, Message, Object, Participant

# Events (CID 400) and their types (CID 401, 402, 403).
APPLICATION_ACTIVITY = dcm("110100", "Application Activity")
AUDIT_LOG_USED = dcm("110101", "Audit Log Used")
INSTANCES_ACCESSED = dcm("110103", "DICOM Instances Accessed")
STUDY_DELETED = dcm("110105", "DICOM Study Deleted")
QUERY = dcm("110112", "Query")
SECURITY_ALERT = dcm("110113", "Security Alert")
USER_AUTHENTICATION = dcm("110114", "User Authentication")
_START, _STOP = dcm("110120", "Application Start"), dcm("110121", "Application Stop")
_LOGIN, _LOGOUT = dcm("110122", "Login"), dcm("110123", "Logout")
_NETWORK = dcm("110128", "Network Configuration")
_SOFTWARE = dcm("110131", "Software Configuration")
_RESTRICTED = dcm("110132", "Use of Restricted Function")
_USER_CHANGED = dcm("110137", "User Security Attributes Changed")
STUDY_ROOT, PATIENT_ROOT = "C-FIND study root", "C-FIND patient root"  # what the object of a line is
_FIND = {STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.1", PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.1"}


def message_of(line: Line, source: Source, study: Study | None = None) -> Message:
    """Any line has a message; `study` is what is known of the one that it names."""
    make = _MADE.get(line.what, _alert)
    return make(line, source, study)


def _signing(line: Line, source: Source, _study: Study | None) -> Message:
    """A.5.3.12 User Authentication."""
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
    who = [source.process(role=APPLICATION)]
    return Message(APPLICATION_ACTIVITY, "E", line.at, SUCCESS, who, source.ae_title, [kind])


def _log_used(line: Line, source: Source, _study: Study | None) -> Message:
    """A.5.3.2 Audit Log Used."""
    log = Object("/api/v1/audit", URI, NODE, SECURITY, name="Security Audit Log")
    return Message(AUDIT_LOG_USED, "R", line.at, SUCCESS, [person(line)], source.ae_title, objects=[log])


def _accessed(line: Line, source: Source, study: Study | None) -> Message:
    """A.5.3.6 DICOM Instances Accessed."""
    who = [person(line), source.process()]
    objects = of_study(study or named(line))
    return Message(INSTANCES_ACCESSED, "R", line.at, SUCCESS, who, source.ae_title, objects=objects)


def _erased(line: Line, source: Source, study: Study | None) -> Message:
    """A.5.3.8 DICOM Study Deleted; what leaves some of the study is a change like others."""
    if " " in line.object.removeprefix("study "):
        return _alert(line, source, study)
    who = [person(line), source.process()]
    objects = of_study(study or named(line))
    return Message(STUDY_DELETED, "D", line.at, SUCCESS, who, source.ae_title, objects=objects)


def _queried(line: Line, source: Source, _study: Study | None) -> Message:
    """A.5.3.10 Query, by QIDO-RS."""
    query = f"{line.object}?{line.after}".encode("utf-8", "replace")
    asked = Object(_FIND[STUDY_ROOT], SOP_CLASS, NODE, REPORT, query=query, details=[("MessageType", "QIDO-RS")])
    return _query(line, source, asked)


def _found(line: Line, source: Source, _study: Study | None) -> Message:
    """A.5.3.10 Query, by C-FIND: its identifier, and how that is encoded."""
    identifier = identifier_bytes(line.after)
    details = [("MessageType", "C-FIND")] if identifier is None else [("TransferSyntax", EXPLICIT_LITTLE_ENDIAN)]
    query = line.after.encode("utf-8", "replace") if identifier is None else identifier
    sop_class = _FIND.get(line.object, _FIND[STUDY_ROOT])
    return _query(line, source, Object(sop_class, SOP_CLASS, NODE, REPORT, query=query, details=details))


def _searched(line: Line, source: Source, _study: Study | None) -> Message:
    """A.5.3.10 Query, by a page or the API."""
    query = line.after.encode("utf-8", "replace")
    return _query(line, source, Object(line.object, URI, NODE, REPORT, query=query))


def _query(line: Line, source: Source, asked: Object) -> Message:
    who = [person(line, SOURCE), source.process(role=DESTINATION)]
    return Message(QUERY, "E", line.at, SUCCESS, who, source.ae_title, objects=[asked])


def _alert(line: Line, source: Source, _study: Study | None) -> Message:
    """A.5.3.11 Security Alert: whatever changes what the node does, or was refused."""
    said = [
        (name, text) for name, text in (("before", line.before), ("after", line.after), ("reason", line.reason)) if text
    ]
    about = f"{line.what}: {line.object}" + "".join(f"; {name} {text}" for name, text in said)
    changed = Object(
        f"{source.ae_title} {line.object}", NODE_ID, NODE, SECURITY, name=line.object,
        details=[("Alert Description", about)],
    )  # fmt: skip
    outcome = SUCCESS if line.ok else MINOR
    why = "" if line.ok else line.reason
    return Message(SECURITY_ALERT, "E", line.at, outcome, [person(line), source.process()], source.ae_title,
                   [_kind(line)], [changed], why)  # fmt: skip


def _kind(line: Line) -> Code:
    if line.what == What.REFUSED:
        return _RESTRICTED
    return _KINDS.get(line.what.partition(".")[0], Code(line.what, "99MRICORE", line.what))


_KINDS = {
    "user": _USER_CHANGED, "token": _USER_CHANGED, "rules": _SOFTWARE, "model": _SOFTWARE, "destination": _NETWORK,
    "group": _NETWORK, "source": _NETWORK, "sender": _NETWORK,
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
    What.VIEWED: _accessed,
    What.ERASED: _erased,
    What.QUERIED: _queried,
    What.FOUND: _found,
    What.SEARCHED: _searched,
    What.SENT: sent,
    What.DELIVERED: delivered,
}
