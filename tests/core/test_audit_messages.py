"""Lines of the audit trail as DICOM audit messages: each is valid by the schema of PS3.15 A.5.1, whatever it holds."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pydicom.filereader import read_dataset

from node.core.audit import Line, What
from node.core.audit.identifier import identifier_text
from node.core.audit.messages import message_of
from node.core.audit.parts import Source, Study
from node.core.audit.syslog import framed, syslog
from node.core.audit.transfers import Received, Transfer, received
from node.core.audit.xml import SopClass

NOON = datetime(2026, 1, 5, 12, 0, 0, 250_000, tzinfo=UTC)
NODE = Source("MRICORE")
STUDY = Study("1.2.3", "P1", "Yamada^Tarou=山田^太郎", (SopClass("1.2.840.10008.5.1.4.1.1.4", 24),))
WORDS = [*What, "user.add", "token.revoke", "job.retry", "rules.publish", "destination.pause", "sender.admit"]


@cache
def schema() -> etree.RelaxNG:
    """The structure that A.5.1 demands."""
    return etree.RelaxNG(etree.parse(Path(__file__).parents[1] / "fixtures" / "audit_message.rng"))


def demand_valid(xml: bytes) -> etree._Element:
    read = etree.fromstring(xml)
    schema().assertValid(read)
    return read


def line(what: str, on: str = "job 12", **more: object) -> Line:
    values: dict[str, object] = {"actor": "anna", "address": "10.0.0.7", "before": "", "after": "", "reason": ""}
    return Line(at=NOON, what=what, object=on, **{**values, **more})  # type: ignore[arg-type] # named by each test


def event(read: etree._Element) -> tuple[str, list[str], str]:
    """Code, type codes and outcome of a message."""
    (found,) = read.iter("EventIdentification")
    codes = [one.get("csd-code", "") for one in found.iter("EventTypeCode")]
    return found.find("EventID").get("csd-code"), codes, found.get("EventOutcomeIndicator")


@pytest.mark.parametrize("what", WORDS)
def test_every_line_is_a_valid_message(what: str) -> None:
    demand_valid(message_of(line(what), NODE).xml())
    demand_valid(message_of(line(what, ok=False, reason="no"), NODE, STUDY).xml())


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (line(What.SIGNED_IN, "user anna"), ("110114", ["110122"], "0")),
        (line(What.SIGN_IN_FAILED, "user anna", ok=False), ("110114", ["110122"], "4")),
        (line(What.LOCKED_OUT, "user anna", ok=False), ("110114", ["110122"], "8")),
        (line(What.SIGNED_OUT, "user anna"), ("110114", ["110123"], "0")),
        (line(What.STARTED), ("110100", ["110120"], "0")),
        (line(What.STOPPED), ("110100", ["110121"], "0")),
        (line(What.AUDIT_READ), ("110101", [], "0")),
        (line(What.RETRIEVED, "study 1.2.3"), ("110103", [], "0")),
        (line(What.QUERIED, "/dicom-web/studies"), ("110112", [], "0")),
        (line(What.VIEWED, "job 12"), ("110103", [], "0")),
        (line(What.FOUND, "C-FIND study root"), ("110112", [], "0")),
        (line(What.SEARCHED, "/admin/"), ("110112", [], "0")),
        (line(What.SENT, "study 1.2.3"), ("110104", [], "0")),
        (line(What.DELIVERED, "study 1.2.3", after='{"host": "10.0.0.9", "to": "pacs"}'), ("110104", [], "0")),
        (line(What.DELIVERED, "study 1.2.3", after='{"host": "10.0.0.9"}', ok=False), ("110104", [], "4")),
        (line(What.DELIVERED, "study 1.2.3", after='{"to": "folder"}'), ("110106", [], "0")),
        (line(What.ERASED, "study 1.2.3"), ("110105", [], "0")),
        (line(What.ERASED, "study 1.2.3 1.2.4"), ("110113", ["dicomweb.delete"], "0")),
        (line(What.GAP, "audit", ok=False), ("110113", ["audit.gap"], "4")),
        (line(What.REFUSED, "POST /api/v1/users", ok=False), ("110113", ["110132"], "4")),
        (line("user.change", "user anna"), ("110113", ["110137"], "0")),
        (line("destination.pause", "destination pacs"), ("110113", ["110128"], "0")),
        (line("job.retry"), ("110113", ["job.retry"], "0")),
    ],
)
def test_an_event_has_the_codes_of_the_standard(one: Line, told: tuple[str, list[str], str]) -> None:
    assert event(demand_valid(message_of(one, NODE).xml())) == told


def test_who_looked_at_a_study_is_told_with_the_patient_and_what_there_was() -> None:
    read = demand_valid(message_of(line(What.RETRIEVED, "study 1.2.3"), NODE, STUDY).xml())
    study, patient = read.iter("ParticipantObjectIdentification")
    assert (study.get("ParticipantObjectID"), patient.get("ParticipantObjectID")) == ("1.2.3", "P1")
    assert patient.findtext("ParticipantObjectName") == "Yamada^Tarou=山田^太郎"
    (kind,) = study.iter("SOPClass")
    assert (kind.get("UID"), kind.get("NumberOfInstances")) == ("1.2.840.10008.5.1.4.1.1.4", "24")
    asks, answers = read.iter("ActiveParticipant")
    assert (asks.get("UserID"), asks.get("UserIsRequestor"), asks.get("NetworkAccessPointID")) == (
        "anna",
        "true",
        "10.0.0.7",
    )
    assert answers.get("AlternativeUserID") == "AETITLES=MRICORE"


def test_what_came_by_an_association_is_told_from_its_source_to_the_node() -> None:
    one = Received(NOON, "a1", "SCANNER", "MRICORE", "10.0.0.9", STUDY)
    read = demand_valid(received(one, NODE).xml())
    assert event(read) == ("110104", [], "0")
    roles = [one.find("RoleIDCode").get("csd-code") for one in read.iter("ActiveParticipant")]
    assert roles == ["110153", "110152"]


def participants(read: etree._Element) -> list[tuple[str, str, str, str]]:
    """Who, asked for by whom, in which role, and where."""
    found = []
    for one in read.iter("ActiveParticipant"):
        role = one.find("RoleIDCode")
        told = one.get("UserID"), one.get("UserIsRequestor"), one.get("NetworkAccessPointID", "")
        found.append((told[0], told[1], role.get("csd-code") if role is not None else "", told[2]))
    return found


def test_what_was_delivered_is_told_from_the_node_to_the_destination_with_what_it_was() -> None:
    went = Transfer("pacs", "PACS", "10.0.0.9", {"1.2.840.10008.5.1.4.1.1.66.4": 1}, 12)
    one = line(What.DELIVERED, "study 1.2.3", actor="node", address="", after=went.text())
    read = demand_valid(message_of(one, NODE, STUDY).xml())
    assert participants(read) == [
        ("mricore-node", "true", "110153", ""),
        ("pacs", "false", "110152", "10.0.0.9"),
    ]
    (kind,) = read.iter("SOPClass")
    assert (kind.get("UID"), kind.get("NumberOfInstances")) == ("1.2.840.10008.5.1.4.1.1.66.4", "1")
    assert [one.get("ParticipantObjectID") for one in read.iter("ParticipantObjectIdentification")] == ["1.2.3", "P1"]
    assert read.find("EventIdentification").get("EventActionCode") == "R"  # whether it was there before is his to know


def test_who_has_instances_sent_to_another_one_is_told_beside_the_two() -> None:
    one = line(What.SENT, "study 1.2.3", actor="AE WORKSTATION", after=Transfer("PACS", "PACS", "10.0.0.9").text())
    assert participants(demand_valid(message_of(one, NODE, STUDY).xml())) == [
        ("mricore-node", "false", "110153", ""),
        ("PACS", "false", "110152", "10.0.0.9"),
        ("WORKSTATION", "true", "", "10.0.0.7"),
    ]
    himself = line(What.SENT, "study 1.2.3", actor="AE PACS", after=Transfer("PACS", "PACS", "10.0.0.9").text())
    assert participants(demand_valid(message_of(himself, NODE, STUDY).xml())) == [
        ("mricore-node", "false", "110153", ""),
        ("PACS", "true", "110152", "10.0.0.9"),
    ]


def asked(read: etree._Element) -> tuple[bytes, dict[str, bytes]]:
    """The query of a message, and its details."""
    details = {
        one.get("type", ""): base64.b64decode(one.get("value", "")) for one in read.iter("ParticipantObjectDetail")
    }
    return base64.b64decode(read.findtext(".//ParticipantObjectQuery")), details


def test_what_a_c_find_asked_is_told_as_its_identifier_and_how_that_is_encoded() -> None:
    text = identifier_text(
        "STUDY", [("PatientName", "山田*"), ("StudyDate", "20260101-"), ("ModalitiesInStudy", "MR\\CT"),
                  ("RequestAttributesSequence.ScheduledProcedureStepID", "7"), ("StudyInstanceUID", "")],
    )  # fmt: skip
    read = demand_valid(message_of(line(What.FOUND, "C-FIND patient root", after=text), NODE).xml())
    identifier, details = asked(read)
    assert details == {"TransferSyntax": b"1.2.840.10008.1.2.1"}
    ds = read_dataset(BytesIO(identifier), is_implicit_VR=False, is_little_endian=True)
    assert (ds.QueryRetrieveLevel, ds.PatientName, ds.StudyDate) == ("STUDY", "山田*", "20260101-")
    assert list(ds.ModalitiesInStudy) == ["MR", "CT"]
    assert ds.RequestAttributesSequence[0].ScheduledProcedureStepID == "7"
    assert ds.StudyInstanceUID == ""
    (where,) = read.iter("ParticipantObjectIdentification")
    assert where.get("ParticipantObjectID") == "1.2.840.10008.5.1.4.1.2.1.1"


def test_a_query_that_was_cut_short_is_told_as_it_is() -> None:
    text = '{"QueryRetrieveLevel": "STUDY", "PatientNam…'
    query, details = asked(demand_valid(message_of(line(What.FOUND, "C-FIND study root", after=text), NODE).xml()))
    assert (query.decode(), details) == (text, {"MessageType": b"C-FIND"})


_ANY = st.text(st.characters(exclude_categories=[]), max_size=40)


_OBJECTS = st.dictionaries(st.sampled_from(["PatientName", "Rows", "OtherPatientIDsSequence.PatientID", "host"]), _ANY)
_AFTER = _ANY | _OBJECTS.map(json.dumps)


@given(what=st.sampled_from(WORDS), actor=_ANY, on=_ANY, before=_ANY, after=_AFTER, reason=_ANY, name=_ANY)
def test_no_text_breaks_a_message(
    what: str, actor: str, on: str, before: str, after: str, reason: str, name: str
) -> None:
    seen = Study("1.2.3", name, name, (SopClass("1.2", 1),))
    one = line(what, on, actor=actor, before=before, after=after, reason=reason, address=name, ok=False)
    read = demand_valid(message_of(one, NODE, seen).xml())
    assert b"\n" not in etree.tostring(read)


def test_a_syslog_message_has_the_head_of_the_profile_and_counts_its_octets() -> None:
    message = syslog(NOON, "node 1", "", 7, b"<AuditMessage/>")
    assert message == (
        b"<85>1 2026-01-05T12:00:00.250000Z node1 mricore-node - DICOM+RFC3881 "
        b'[meta sequenceId="7"] \xef\xbb\xbf<AuditMessage/>'
    )
    assert framed(message) == str(len(message)).encode() + b" " + message
