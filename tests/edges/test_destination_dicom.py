"""A PACS as a destination: injected statuses, death in mid-association, TLS, read-back, storage commitment."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt

from node.adapters.database import jobs
from node.adapters.destinations.dicom import DicomPeer
from node.adapters.destinations.storescu import Peer
from node.adapters.destinations.tls import client_context
from node.core.storage_commitment import SOP_CLASS_UID, SOP_INSTANCE_UID
from node.errors import DestinationUnavailable
from node.pipeline.gate import Policy, Proof
from node.scp.commitment_report import commitment_reports
from tests.bench import until
from tests.certificates import Authority
from tests.delivering import Site, site
from tests.destinations import objects, said
from tests.listening import listening
from tests.orthanc import free_port
from tests.synthetic import MR_IMAGE_STORAGE

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as opened:
        yield opened


@dataclass
class Pacs:
    """A PACS of pynetdicom: stores, answers as told, finds what it stored, and takes over responsibility."""

    statuses: list[int] = field(default_factory=list)
    came: list[str] = field(default_factory=list)  # SOP Instance UIDs of every C-STORE
    stored: set[str] = field(default_factory=set)
    forgets: bool = False  # answers 0000 and keeps nothing
    asked: list[Dataset] = field(default_factory=list)  # for storage commitment
    commitment_status: int = 0x0000
    port: int = 0
    abort_at: int = -1

    @contextmanager
    def on(self, *sop_classes: str, tls: SSLContext | None = None) -> Iterator[Pacs]:
        ae = AE(ae_title="PACS")
        for uid in sop_classes or (MR_IMAGE_STORAGE, FIND, SOP_CLASS_UID, "1.2.840.10008.1.1"):
            ae.add_supported_context(uid, EXPLICIT)
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_N_ACTION, self._commit),
        ]
        server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers, ssl_context=tls)
        assert server is not None
        assert server.socket is not None
        self.port = int(server.socket.getsockname()[1])
        try:
            yield self
        finally:
            server.shutdown()

    def peer(self, **changes: Any) -> Peer:
        return Peer("PACS", changes.pop("host", "127.0.0.1"), self.port, "MRICORE", timeout_seconds=60, **changes)

    def report(self, port: int, *, failed: bool = False) -> int | None:
        """Report the oldest request on an association of its own; what the node answered."""
        request = self.asked.pop(0)
        told = Dataset()
        told.TransactionUID = request.TransactionUID
        items = request.ReferencedSOPSequence
        if failed:
            for item in items:
                item.FailureReason = 0x0112
            told.FailedSOPSequence = items
        else:
            told.ReferencedSOPSequence = items
        ae = AE(ae_title="PACS")
        ae.add_requested_context(SOP_CLASS_UID, EXPLICIT)
        role = build_role(SOP_CLASS_UID, scp_role=True)
        association = ae.associate("127.0.0.1", port, ae_title="MRICORE", ext_neg=[role])
        assert association.is_established
        status, _ = association.send_n_event_report(told, 2 if failed else 1, SOP_CLASS_UID, SOP_INSTANCE_UID)
        association.release()
        return int(status.Status) if "Status" in status else None

    def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)  # type: ignore[union-attr] # a C-STORE
        if len(self.came) == self.abort_at:
            self.abort_at = -1
            event.assoc.abort()
            return 0x0000
        self.came.append(uid)
        status = self.statuses.pop(0) if self.statuses else 0x0000
        if not self.forgets and status in (0x0000, 0xB000):
            self.stored.add(uid)
        return status

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked = event.identifier
        if str(asked.SOPInstanceUID) in self.stored:
            yield 0xFF00, asked

    def _commit(self, event: evt.Event) -> tuple[int, None]:
        if self.commitment_status == 0x0000:
            self.asked.append(event.action_information)
        return self.commitment_status, None


def add(at: Site, pacs: Pacs, proof: Proof = Proof.ANSWER) -> None:
    at.destinations["pacs"] = DicomPeer("pacs", pacs.peer(), reads_back=proof is Proof.QUERY)
    at.policies["pacs"] = Policy(proof=proof)


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (0x0000, "completed", "delivered to pacs"),
        (0xB000, "completed", "delivered to pacs"),
        (0x0111, "completed", "delivered to pacs"),
        (0xA700, "scheduled", "pacs answered A700"),
        (0xA900, "failed", "pacs answered A900"),
        (0xC000, "failed", "pacs answered C000"),
        (0x0122, "failed", "pacs answered 0122"),
    ],
)
def test_what_each_status_makes_of_a_job(at: Site, status: int, state: str, words: str) -> None:
    with Pacs(statuses=[0x0000, status]).on() as pacs:
        add(at, pacs)
        number = at.job("pacs")
        assert at.attempt(number) == words
        assert at.state(number) == state
        assert [answer for _, _, answer, _ in at.answers(number)] == ["0000", f"{status:04X}"]
        if state == "scheduled":  # only what failed is sent again
            assert at.attempt(number) == "delivered to pacs"
            assert [pacs.came.count(uid) for uid in dict.fromkeys(pacs.came)] == [1, 2]


def test_what_broke_off_in_mid_association_is_sent_again_and_the_rest_is_not(at: Site) -> None:
    with Pacs(abort_at=1).on() as pacs:
        add(at, pacs)
        number = at.job("pacs")
        assert "did not answer a C-STORE" in at.attempt(number)
        assert [state for _, state, _, _ in at.answers(number)] == ["delivered", "waiting"]
        assert at.attempt(number) == "delivered to pacs"
        assert len(pacs.came) == len(set(pacs.came)) == 2


def test_dcmtk_s_storescp_is_killed_between_two_objects_and_comes_back(at: Site, tmp_path: Path) -> None:
    program = shutil.which("storescp", path="/usr/bin")
    if program is None:
        pytest.skip("needs the Debian package dcmtk")
    port, received = free_port(), tmp_path / "received"
    received.mkdir()
    at.destinations["pacs"] = DicomPeer("pacs", Peer("PACS", "127.0.0.1", port, "MRICORE", timeout_seconds=60))
    number = at.job("pacs")
    answered = tmp_path / "answered"
    # Once it has answered the first it does something else, and does not come to read the second.
    busy = ("--exec-sync", "--exec-on-reception", f"touch {answered}; exec sleep 600")
    with storescp(program, port, received, *busy) as process:
        attempt = threading.Thread(target=lambda: at.attempt(number))
        attempt.start()
        until(answered.exists, "the first answer")
        os.killpg(process.pid, signal.SIGKILL)  # with what it does, which holds the connection
        attempt.join(120)
    states = [state for _, state, _, _ in at.answers(number)]
    assert states == ["delivered", "waiting"]
    first = {path.name: path.stat().st_mtime_ns for path in received.iterdir() if path.stat().st_size}
    with storescp(program, port, received):
        at.clock.advance(120)
        assert at.attempt(number) == "delivered to pacs"
    after = {path.name: path.stat().st_mtime_ns for path in received.iterdir()}
    assert len(after) == 2
    assert [attempts for *_, attempts in at.answers(number)] == [1, 2]
    assert set(first.items()) & set(after.items())  # the first was not written again


@contextmanager
def storescp(program: str, port: int, folder: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [program, "-od", str(folder), *more, str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)

    def listens() -> bool:
        with socket.socket() as knocking:
            return knocking.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(listens, "storescp")
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)


def test_a_class_that_the_pacs_does_not_take_is_refused_before_anything_is_sent(at: Site) -> None:
    with Pacs().on("1.2.840.10008.1.1") as pacs:
        add(at, pacs)
        number = at.job("pacs")
        assert "no presentation context accepted" in at.attempt(number)
        assert (at.state(number), pacs.came) == ("failed", [])


def test_it_is_sent_over_tls_with_a_certificate_of_ours(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    context = authority.server().context()
    with Pacs().on(tls=context) as pacs:
        mine = client_context("pacs", authority.file, *authority.issue("node"))
        sent = objects(tmp_path)
        assert (
            said(DicomPeer("pacs", pacs.peer(host="localhost", tls=mine)).deliver(sent)) == [("delivered", "0000")] * 2
        )
        for wrong in (None, client_context("pacs", stranger.file, *authority.issue("node"))):
            with pytest.raises(DestinationUnavailable):
                DicomPeer("pacs", pacs.peer(host="localhost", tls=wrong)).deliver(sent)


def test_what_was_taken_is_found_where_the_site_wants_proof(at: Site) -> None:
    with Pacs().on() as pacs:
        add(at, pacs, Proof.QUERY)
        number = at.job("pacs")
        assert at.attempt(number) == "delivered to pacs"
        assert {answer for _, _, answer, _ in at.answers(number)} == {"0000; found by C-FIND"}


def test_what_was_answered_and_is_not_there_waits_and_holds_up_nothing_else(at: Site) -> None:
    with Pacs(forgets=True).on() as pacs:
        add(at, pacs, Proof.QUERY)
        lost = at.job("pacs")
        for _ in range(4):
            assert "C-FIND does not find it yet" in at.attempt(lost)
        pacs.forgets = False
        assert at.attempt(at.job("pacs")) == "delivered to pacs"
        assert at.attempt(lost) == "delivered to pacs"


def test_an_object_whose_answer_was_lost_is_looked_for_before_it_is_sent_again(at: Site) -> None:
    with Pacs().on() as pacs:
        add(at, pacs, Proof.QUERY)
        number = at.job("pacs")
        pacs.abort_at = 1
        at.attempt(number)
        (seg,) = pacs.stored
        pacs.stored.update(uid for uid in uids(at, number))  # it had stored it, and died before it could say so
        assert at.attempt(number) == "delivered to pacs"
        assert pacs.came == [seg]
        assert [answer for _, _, answer, _ in at.answers(number)][1] == "found by C-FIND"


def test_a_pacs_without_c_find_has_its_answer_believed(at: Site) -> None:
    with Pacs().on(MR_IMAGE_STORAGE) as pacs:
        add(at, pacs, Proof.QUERY)
        number = at.job("pacs")
        assert at.attempt(number) == "delivered to pacs"
        assert {answer for _, _, answer, _ in at.answers(number)} == {"0000; C-FIND is not offered"}


def uids(at: Site, number: int) -> list[str]:
    return [one.sop_instance_uid for one in jobs.results(at.database, number)]


@contextmanager
def hearing(at: Site, folder: Path) -> Iterator[int]:
    """The node's listener, that hears reports; its port."""
    with listening(folder / "node", services=[commitment_reports(at.delivering.promises)]) as node:
        yield node.port


def test_a_delivery_is_done_when_the_pacs_has_committed(at: Site, tmp_path: Path) -> None:
    with Pacs().on() as pacs:
        add(at, pacs, Proof.COMMITMENT)
        number = at.job("pacs")
        with hearing(at, tmp_path) as port:
            assert "0000; storage commitment asked for" in at.attempt(number)
            assert at.state(number) == "scheduled"
            at.clock.advance(60)
            (waiting,) = at.run()
            assert waiting.startswith("pacs took it and was asked for storage commitment at ")
            assert pacs.report(port) == 0x0000
            assert at.run() == ["delivered to pacs"]
        assert {answer for _, _, answer, _ in at.answers(number)} == {"0000; storage commitment"}
        assert len(pacs.came) == 2


def test_what_the_pacs_could_not_commit_is_sent_again(at: Site, tmp_path: Path) -> None:
    with Pacs().on() as pacs:
        add(at, pacs, Proof.COMMITMENT)
        number = at.job("pacs")
        with hearing(at, tmp_path) as port:
            at.attempt(number)
            assert pacs.report(port, failed=True) == 0x0000
            at.attempt(number)
            assert pacs.report(port) == 0x0000
            assert at.attempt(number) == "delivered to pacs"
        assert sorted(map(pacs.came.count, set(pacs.came))) == [2, 2]


def test_a_report_that_never_comes_is_replaced_by_c_find(at: Site) -> None:
    with Pacs().on() as pacs:
        add(at, pacs, Proof.COMMITMENT)
        number = at.job("pacs")
        at.attempt(number)
        at.clock.advance(3601)
        assert at.attempt(number) == "delivered to pacs"
        told = "0000; no report of storage commitment; found by C-FIND"
        assert {answer for _, _, answer, _ in at.answers(number)} == {told}


@pytest.mark.parametrize("refuses", [True, False])
def test_a_pacs_that_does_not_commit_is_asked_by_c_find(at: Site, refuses: bool) -> None:
    offered = (MR_IMAGE_STORAGE, FIND, SOP_CLASS_UID) if refuses else (MR_IMAGE_STORAGE, FIND)
    with Pacs(commitment_status=0x0110).on(*offered) as pacs:
        add(at, pacs, Proof.COMMITMENT)
        number = at.job("pacs")
        assert at.attempt(number) == "delivered to pacs"
        told = "0000; storage commitment is not offered; found by C-FIND"
        assert {answer for _, _, answer, _ in at.answers(number)} == {told}


def test_a_report_of_a_transaction_that_nobody_knows_is_refused(at: Site, tmp_path: Path) -> None:
    with Pacs().on() as pacs:
        add(at, pacs, Proof.COMMITMENT)
        at.attempt(at.job("pacs"))
        pacs.asked[0].TransactionUID = "2.25.1"
        with hearing(at, tmp_path) as port:
            assert pacs.report(port) == 0x0110


def test_what_a_pacs_takes_is_negotiated_without_sending_anything() -> None:
    with Pacs().on("1.2.840.10008.5.1.4.1.1.66.4", FIND) as pacs:
        taken = DicomPeer("pacs", pacs.peer()).negotiate()
        assert taken == {
            "Segmentation": ("Explicit VR Little Endian",),
            "Study Root Query": ("Explicit VR Little Endian",),
        }
        assert pacs.came == []
    with Pacs().on("1.2.840.10008.1.1") as pacs:
        assert DicomPeer("pacs", pacs.peer()).negotiate() == {}
