"""C-FIND, C-MOVE and C-GET: DCMTK and pynetdicom ask the archive, and are sent what it holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from pydicom import dcmread
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.dimse_primitives import C_STORE

from node.adapters.association import RemoteAE
from node.adapters.database import audit
from node.adapters.headers import demand_inflatable
from node.core.audit import What
from node.core.dicomweb.identifier import answer, read_find, read_retrieve
from node.core.dicomweb.identifier import queries as to_find
from node.core.dicomweb.model import Json
from node.errors import BadInstance, Usage
from node.pipeline.access.reads import Reads
from node.scp import Listener
from node.scp.admission import Admission
from node.scp.query import query
from node.scp.retrieve import get, move
from node.scp.server import Limits
from tests.archives import ServedArchive, served_archive
from tests.listening import Listening, listening
from tests.synthetic import MR_IMAGE_STORAGE, Grid, mr_series, to_bytes, uid

HEAD = mr_series(Grid(slices=5, rows=16, columns=16))
OTHER = mr_series(Grid(slices=2, rows=16, columns=16))
for one in HEAD:
    one.SpecificCharacterSet = "ISO_IR 100"
    one.PatientName, one.PatientID, one.StudyDate = "Köhler^Zoë", "P-1", "20250301"
for number, one in enumerate(OTHER):
    one.PatientName, one.PatientID, one.StudyDate = "Other^One", "P-2", "20240301"
    one.StudyInstanceUID, one.SeriesInstanceUID = UID(uid("other study")), UID(uid("other series"))
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = UID(uid("other", number))
FIND_STUDY_ROOT, GET_STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"
MOVE_STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.2"
FIND_PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1.1"


@dataclass(frozen=True)
class Asked:
    """A node that answers, and a Storage SCP that it may send to."""

    port: int
    archive: ServedArchive
    other: Listening
    reads: Reads
    known: dict[str, RemoteAE]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("query")
    (folder / "other").mkdir()
    with served_archive(folder) as served, listening(folder / "other", admission=Admission("OTHER", True, [])) as other:
        served.keep(*HEAD, *OTHER)
        known = {"OTHER": RemoteAE("OTHER", "127.0.0.1", other.port, "MRICORE")}
        reads = Reads(served.store.database, served.store.clock)
        services = [
            query(served.archive, "MRICORE", reads),
            move(served.archive, known.get, reads),
            get(served.archive, reads),
        ]
        listener = Listener(
            served.store.reception,
            Admission("MRICORE", True, []),
            Limits(20, 1 << 17, stall_seconds=60),
            note=lambda *_: None,
            services=services,
        )
        try:
            yield Asked(listener.start("127.0.0.1", 0), served, other, reads, known)
        finally:
            listener.stop(1)


def dcmtk(program: str, node: Asked, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    if shutil.which(program) is None:
        pytest.skip("needs the Debian package dcmtk")
    return subprocess.run(
        [program, "-v", "-aec", "MRICORE", *arguments, "127.0.0.1", str(node.port)],
        cwd=folder, capture_output=True, text=True, errors="replace", timeout=240, check=False,
    )  # fmt: skip


def asker() -> AE:
    """Somebody with patience."""
    ae = AE(ae_title="ASKER")
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
    return ae


def find(node: Asked, model: str = FIND_STUDY_ROOT, **keys: str) -> tuple[list[Dataset], int]:
    """The matches, and the last status."""
    ae = asker()
    ae.add_requested_context(model)
    association = ae.associate("127.0.0.1", node.port, ae_title="MRICORE")
    assert association.is_established
    asked = Dataset()
    asked.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    matches, last = [], -1
    for status, identifier in association.send_c_find(asked, model):
        last = int(status.Status)
        if identifier is not None:
            matches.append(identifier)
    association.release()
    return matches, last


def test_findscu_finds_a_study_by_patient_and_gets_the_keys_it_asked_for(node: Asked, tmp_path: Path) -> None:
    keys = ("QueryRetrieveLevel=STUDY", "PatientID=P-1", "StudyDate", "NumberOfStudyRelatedInstances", "StudyID")
    arguments = [part for key in keys for part in ("-k", key)]
    found = dcmtk("findscu", node, "-S", "-X", *arguments, folder=tmp_path)
    assert found.returncode == 0, found.stderr
    (file,) = tmp_path.glob("rsp*.dcm")
    match = dcmread(file, force=True)
    assert (match.PatientID, match.StudyDate, match.NumberOfStudyRelatedInstances) == ("P-1", "20250301", 5)
    assert match.QueryRetrieveLevel == "STUDY"
    assert match.RetrieveAETitle == "MRICORE"


def test_names_are_matched_without_case_and_accents_and_come_back_as_they_are(node: Asked) -> None:
    (match,), status = find(node, QueryRetrieveLevel="STUDY", PatientName="kohler*", PatientID="")
    assert (str(match.PatientName), match.PatientID, status) == ("Köhler^Zoë", "P-1", 0)


def test_dates_are_ranges_and_without_keys_everything_is_found(node: Asked) -> None:
    matches, _ = find(node, QueryRetrieveLevel="STUDY", StudyDate="20250101-", PatientID="")
    assert [one.PatientID for one in matches] == ["P-1"]
    matches, _ = find(node, QueryRetrieveLevel="STUDY", PatientID="")
    assert {one.PatientID for one in matches} == {"P-1", "P-2"}


def test_series_and_images_are_found_below_their_study(node: Asked) -> None:
    study = str(HEAD[0].StudyInstanceUID)
    (series,), _ = find(
        node, QueryRetrieveLevel="SERIES", StudyInstanceUID=study, SeriesInstanceUID="", Modality="",
        NumberOfSeriesRelatedInstances="",
    )  # fmt: skip
    assert (series.Modality, series.NumberOfSeriesRelatedInstances) == ("MR", 5)
    images, _ = find(
        node, QueryRetrieveLevel="IMAGE", StudyInstanceUID=study, SeriesInstanceUID=str(series.SeriesInstanceUID),
        SOPInstanceUID="", InstanceNumber="",
    )  # fmt: skip
    assert [one.SOPInstanceUID for one in images] == [one.SOPInstanceUID for one in HEAD]


def test_a_patient_root_query_tells_of_each_patient_once(node: Asked) -> None:
    matches, status = find(node, FIND_PATIENT_ROOT, QueryRetrieveLevel="PATIENT", PatientName="", PatientID="")
    assert sorted(one.PatientID for one in matches) == ["P-1", "P-2"]
    assert status == 0


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # of the asking side's library
@pytest.mark.parametrize(
    "keys",
    [
        {"PatientID": "P-1"},
        {"QueryRetrieveLevel": "GALAXY"},
        {"QueryRetrieveLevel": "STUDY", "StudyDate": "yesterday"},
        {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2'; drop table study"},
    ],
)
def test_an_identifier_that_cannot_be_meant_is_refused_and_the_next_is_answered(
    node: Asked, keys: dict[str, str]
) -> None:
    assert find(node, **keys) == ([], 0xA900)
    assert len(find(node, QueryRetrieveLevel="STUDY", PatientID="P-1")[0]) == 1


def test_movescu_sends_a_study_to_a_known_third(node: Asked, tmp_path: Path) -> None:
    study = str(HEAD[0].StudyInstanceUID)
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}")
    moved = dcmtk("movescu", node, "-S", "-aem", "OTHER", *keys, folder=tmp_path)
    assert moved.returncode == 0, moved.stderr
    assert {one.sop_instance_uid for one in node.other.receipts()} == {str(one.SOPInstanceUID) for one in HEAD}


def test_each_image_that_is_moved_names_who_asked_for_it(node: Asked) -> None:
    """PS3.7 9.1.1.1: Move Originator AE Title and Message ID are those of the C-MOVE."""
    named: list[tuple[str | None, int | None]] = []

    def kept(event: evt.Event) -> int:
        request = cast("C_STORE", event.request)
        named.append((request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID))
        return 0x0000

    taker = AE(ae_title="TAKER")
    taker.add_supported_context(MR_IMAGE_STORAGE, ExplicitVRLittleEndian)
    server = taker.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, kept)])
    assert server is not None
    node.known["TAKER"] = RemoteAE("TAKER", "127.0.0.1", server.server_address[1], "MRICORE")
    wanted = Dataset()
    wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", HEAD[0].StudyInstanceUID
    ae = asker()
    ae.add_requested_context(MOVE_STUDY_ROOT)
    association = ae.associate("127.0.0.1", node.port, ae_title="MRICORE")
    try:
        statuses = [status.Status for status, _ in association.send_c_move(wanted, "TAKER", MOVE_STUDY_ROOT, msg_id=77)]
    finally:
        association.release()
        server.shutdown()
    assert statuses[-1] == 0x0000
    assert named == [("ASKER", 77)] * len(HEAD)


def test_nothing_is_sent_to_a_stranger(node: Asked, tmp_path: Path) -> None:
    study = str(HEAD[0].StudyInstanceUID)
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}")
    moved = dcmtk("movescu", node, "-S", "-aem", "STRANGER", *keys, folder=tmp_path)
    assert moved.returncode != 0
    assert "MoveDestinationUnknown" in moved.stdout + moved.stderr


def test_getscu_gets_a_series_over_its_own_association(node: Asked, tmp_path: Path) -> None:
    keys = (
        "-k", "QueryRetrieveLevel=SERIES", "-k", f"StudyInstanceUID={HEAD[0].StudyInstanceUID}",
        "-k", f"SeriesInstanceUID={HEAD[0].SeriesInstanceUID}",
    )  # fmt: skip
    got = dcmtk("getscu", node, "-S", *keys, folder=tmp_path)
    assert got.returncode == 0, got.stderr
    received = {str(ds.SOPInstanceUID): ds for ds in map(dcmread, (one for one in tmp_path.iterdir()))}
    assert received.keys() == {str(one.SOPInstanceUID) for one in HEAD}
    assert received[str(HEAD[2].SOPInstanceUID)].PixelData == HEAD[2].PixelData


def test_a_single_image_is_got_and_what_is_gone_is_a_failed_sub_operation(node: Asked) -> None:
    gone = OTHER[1]
    for one in node.archive.store.instances():
        if one.sop_instance_uid == gone.SOPInstanceUID:
            node.archive.store.files.path(one.path).unlink()
    got, last = retrieve(node, QueryRetrieveLevel="SERIES", StudyInstanceUID=uid("other study"),
                         SeriesInstanceUID=uid("other series"))  # fmt: skip
    assert got == [str(OTHER[0].SOPInstanceUID)]
    assert (last.NumberOfCompletedSuboperations, last.NumberOfFailedSuboperations) == (1, 1)


def test_a_deflated_image_that_is_damaged_is_a_failed_sub_operation_and_the_other_is_got(node: Asked) -> None:
    good, damaged = mr_series(Grid(slices=2, rows=16, columns=16), name="deflated")
    damaged.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    node.archive.keep(good, damaged)
    (row,) = [one for one in node.archive.store.instances() if one.sop_instance_uid == damaged.SOPInstanceUID]
    os.truncate(node.archive.store.files.path(row.path), row.size - 100)
    got, last = retrieve(node, QueryRetrieveLevel="SERIES", StudyInstanceUID=str(good.StudyInstanceUID),
                         SeriesInstanceUID=str(good.SeriesInstanceUID))  # fmt: skip
    assert got == [str(good.SOPInstanceUID)]
    assert (last.NumberOfCompletedSuboperations, last.NumberOfFailedSuboperations) == (1, 1)


def test_what_inflates_without_end_is_not_read_whole(tmp_path: Path) -> None:
    (ds,) = mr_series(Grid(slices=1, rows=1024, columns=1024), name="bomb")
    ds.PixelData = bytes(2 << 20)
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    (tmp_path / "bomb.dcm").write_bytes(to_bytes(ds))
    assert (tmp_path / "bomb.dcm").stat().st_size < 1 << 16
    demand_inflatable(tmp_path / "bomb.dcm", 3 << 20)
    with pytest.raises(BadInstance, match="inflates to more than 1 MiB"):
        demand_inflatable(tmp_path / "bomb.dcm", 1 << 20)


def test_a_retrieval_without_its_unique_key_gets_nothing(node: Asked) -> None:
    got, last = retrieve(node, QueryRetrieveLevel="SERIES", StudyInstanceUID=str(HEAD[0].StudyInstanceUID))
    assert got == []
    assert last.Status == 0xC001


@pytest.mark.parametrize(
    "keys",
    [
        {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "*"},
        {"QueryRetrieveLevel": "PATIENT", "PatientID": " "},
        {"QueryRetrieveLevel": "PATIENT", "PatientID": "P-1\0"},
        {"QueryRetrieveLevel": "PATIENT", "PatientID": "P*"},
        {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "SOPInstanceUID": "*"},
    ],
)
def test_a_retrieval_of_anything_at_all_is_refused(keys: dict[str, str]) -> None:
    asked = Dataset()
    for keyword, value in keys.items():
        asked[keyword] = DataElement(keyword, dictionary_VR(keyword), value, validation_mode=IGNORE)
    with pytest.raises(Usage):
        to_find(read_retrieve(asked))


@pytest.mark.parametrize("value", ["Doe^Jane", "1.5", 1e400, {"Alphabetic": "x"}])
def test_a_stored_value_that_is_none_of_its_kind_costs_a_match_no_more_than_itself(value: object) -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.InstanceNumber, asked.SOPInstanceUID = "IMAGE", None, ""
    stored: Json = {"00080018": {"vr": "UI", "Value": ["1.2.3"]}, "00200013": {"vr": "IS", "Value": [value]}}
    made = answer(read_find(asked), stored, "MRICORE")
    assert (made.SOPInstanceUID, made["InstanceNumber"].is_empty) == ("1.2.3", True)


def test_text_that_no_database_takes_is_not_searched_for() -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.PatientID = "STUDY", "a\0b"
    with pytest.raises(Usage, match="PatientID"):
        read_find(asked)


def retrieve(node: Asked, refused: str = "", **keys: str) -> tuple[list[str], Dataset]:
    """C-GET by pynetdicom: UIDs of what came, and the last response. An instance may be refused."""
    got: list[str] = []

    def kept(event: evt.Event) -> int:
        got.append(str(cast("C_STORE", event.request).AffectedSOPInstanceUID))
        return 0xA700 if got[-1] == refused else 0

    ae = asker()
    ae.add_requested_context(GET_STUDY_ROOT)
    ae.add_requested_context(MR_IMAGE_STORAGE)
    association = ae.associate(
        "127.0.0.1", node.port, ae_title="MRICORE",
        ext_neg=[build_role(MR_IMAGE_STORAGE, scp_role=True)], evt_handlers=[(evt.EVT_C_STORE, kept)],
    )  # fmt: skip
    assert association.is_established
    asked = Dataset()
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    last = Dataset()
    for status, _ in association.send_c_get(asked, GET_STUDY_ROOT):
        last = status
    association.release()
    return got, last


def test_hostile_identifiers_are_usage_errors_and_never_more() -> None:
    deep = Dataset()
    deep.QueryRetrieveLevel = "STUDY"
    inner = deep
    for _ in range(60):
        item = Dataset()
        inner.RequestAttributesSequence = [item]
        inner = item
    assert read_find(deep).level == "STUDY"
    with pytest.raises(Usage):
        read_retrieve(Dataset())


def told(node: Asked, what: What) -> list[tuple[str, str, dict[str, object]]]:
    """Who, what and with what, of the lines of the audit trail."""
    node.reads.write()
    lines = [one.line for one in audit.after(node.archive.store.database, 0, 1000)]
    return [(one.actor, one.object, json.loads(one.after)) for one in lines if one.what == what]


def test_who_asked_for_what_is_in_the_audit_trail(node: Asked) -> None:
    for _ in range(2):  # a workstation that asks again and again has one line
        find(node, FIND_PATIENT_ROOT, QueryRetrieveLevel="PATIENT", PatientName="Nobody^*", PatientID="")
    find(node, QueryRetrieveLevel="NONSENSE", PatientName="Nobody^*")  # was never looked for
    asked = {"QueryRetrieveLevel": "PATIENT", "PatientName": "Nobody^*", "PatientID": ""}
    mine = [one for one in told(node, What.FOUND) if one[2].get("PatientName") == "Nobody^*"]
    assert mine == [("AE ASKER", "C-FIND patient root", asked)]


def test_what_was_moved_is_in_the_audit_trail_study_by_study(node: Asked, tmp_path: Path) -> None:
    def move(to: str, *keys: str) -> None:
        dcmtk("movescu", node, "-S", "-aet", "ASKER", "-aem", to, *(part for key in keys for part in ("-k", key)),
              folder=tmp_path)  # fmt: skip

    before = len(told(node, What.SENT))
    move("OTHER", "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={HEAD[0].StudyInstanceUID}")
    move("OTHER", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=1.2.3.4")  # nothing of it is here
    move("STRANGER", "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={HEAD[0].StudyInstanceUID}")
    (line,) = told(node, What.SENT)[before:]
    went = {"to": "OTHER", "ae_title": "OTHER", "host": "127.0.0.1", "sop_classes": {MR_IMAGE_STORAGE: 5}}
    assert line == ("AE ASKER", f"study {HEAD[0].StudyInstanceUID}", went)


def test_what_was_refused_is_not_told_as_sent(node: Asked) -> None:
    before = len(told(node, What.SENT))
    study, refused = str(HEAD[0].StudyInstanceUID), str(HEAD[1].SOPInstanceUID)
    retrieve(node, refused, QueryRetrieveLevel="STUDY", StudyInstanceUID=study)
    (line,) = told(node, What.SENT)[before:]
    went = {"to": "ASKER", "ae_title": "ASKER", "host": "127.0.0.1", "sop_classes": {MR_IMAGE_STORAGE: 4}}
    assert line == ("AE ASKER", f"study {study}", went)
