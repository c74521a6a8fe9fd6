"""Destinations: one behaviour for every kind, and what is its own of each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.transport import ThreadedAssociationServer

from node.adapters.destinations import Destination, Outgoing
from node.adapters.destinations.dicom import DicomPeer
from node.adapters.destinations.folder import Folder
from node.adapters.destinations.storescu import Peer
from node.core.status import Meaning
from node.errors import DestinationUnavailable
from tests.orthanc import free_port
from tests.synthetic import MR_IMAGE_STORAGE, Grid, mr_series, to_bytes

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


@dataclass
class Pacs:
    """A Storage SCP of pynetdicom that answers as told and remembers what came."""

    answers: list[int] = field(default_factory=list)
    came: list[Dataset] = field(default_factory=list)
    syntaxes: list[str] = field(default_factory=list)
    abort_at: int = -1  # abort instead of answering this one, from 0
    port: int = field(default_factory=free_port)  # for the next start too
    _server: ThreadedAssociationServer | None = None

    def start(self, transfer_syntaxes: tuple[str, ...] = (EXPLICIT, IMPLICIT)) -> None:
        ae = AE(ae_title="PACS")
        ae.add_supported_context(MR_IMAGE_STORAGE, list(transfer_syntaxes))
        server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])
        assert server is not None
        assert server.socket is not None
        self._server, self.port = server, int(server.socket.getsockname()[1])

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server = None

    def _store(self, event: evt.Event) -> int:
        if len(self.came) == self.abort_at:
            self.abort_at = -1
            event.assoc.abort()
            return 0x0000
        self.came.append(event.dataset)
        self.syntaxes.append(str(event.context.transfer_syntax))
        return self.answers.pop(0) if self.answers else 0x0000

    @property
    def peer(self) -> Peer:
        return Peer("PACS", "127.0.0.1", self.port, "MRICORE", timeout_seconds=60)


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    made = Pacs()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def objects(tmp_path: Path) -> list[Outgoing]:
    made = []
    for number, ds in enumerate(mr_series(Grid(slices=3))):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(to_bytes(ds))
        made.append(Outgoing("SEG", str(ds.SOPClassUID), str(ds.SOPInstanceUID), path))
    return made


@pytest.fixture(params=["dicom", "folder"])
def destination(request: pytest.FixtureRequest, tmp_path: Path, pacs: Pacs) -> Destination:
    return DicomPeer("out", pacs.peer) if request.param == "dicom" else Folder("out", tmp_path / "out")


def test_everything_is_delivered_in_order_with_an_answer_each(
    destination: Destination, objects: list[Outgoing]
) -> None:
    outcomes = destination.deliver(objects)
    assert [one.meaning for one in outcomes] == [Meaning.DELIVERED] * 3
    assert all(one.answer for one in outcomes)


def test_the_same_again_is_delivered_again(destination: Destination, objects: list[Outgoing]) -> None:
    for _ in range(2):
        assert {one.meaning for one in destination.deliver(objects)} == {Meaning.DELIVERED}


def test_nothing_to_deliver_is_no_fault(destination: Destination) -> None:
    assert destination.deliver([]) == []


def test_a_pacs_gets_the_objects_unchanged(pacs: Pacs, objects: list[Outgoing]) -> None:
    DicomPeer("out", pacs.peer).deliver(objects)
    assert [str(ds.SOPInstanceUID) for ds in pacs.came] == [one.sop_instance_uid for one in objects]
    assert set(pacs.syntaxes) == {EXPLICIT}


def test_each_answer_has_its_meaning(pacs: Pacs, objects: list[Outgoing]) -> None:
    pacs.answers = [0xB000, 0xA700, 0xC000]
    outcomes = DicomPeer("out", pacs.peer).deliver(objects)
    assert [one.meaning for one in outcomes] == [Meaning.DELIVERED, Meaning.WAIT, Meaning.REFUSED]
    assert [one.answer[:4] for one in outcomes] == ["B000", "A700", "C000"]


def test_a_pacs_that_is_down_is_unavailable_and_named(pacs: Pacs, objects: list[Outgoing]) -> None:
    pacs.stop()
    with pytest.raises(DestinationUnavailable, match=r"PACS@127\.0\.0\.1"):
        DicomPeer("out", pacs.peer).deliver(objects)


def test_a_pacs_that_knows_another_ae_title_only_is_unavailable(pacs: Pacs, objects: list[Outgoing]) -> None:
    pacs.stop()
    ae = AE(ae_title="PACS")
    ae.require_called_aet = True
    ae.add_supported_context(MR_IMAGE_STORAGE)
    server = ae.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    assert server.socket is not None
    port = int(server.socket.getsockname()[1])
    with pytest.raises(DestinationUnavailable, match="rejects"):
        DicomPeer("out", Peer("OTHER", "127.0.0.1", port, "MRICORE", timeout_seconds=60)).deliver(objects)
    server.shutdown()


def test_a_pacs_that_breaks_off_keeps_what_it_has_and_the_rest_waits(pacs: Pacs, objects: list[Outgoing]) -> None:
    pacs.abort_at = 1
    outcomes = DicomPeer("out", pacs.peer).deliver(objects)
    assert [one.meaning for one in outcomes] == [Meaning.DELIVERED, Meaning.WAIT, Meaning.WAIT]


def test_a_pacs_that_breaks_off_at_once_is_unavailable(pacs: Pacs, objects: list[Outgoing]) -> None:
    pacs.abort_at = 0
    with pytest.raises(DestinationUnavailable):
        DicomPeer("out", pacs.peer).deliver(objects)


def test_a_class_that_the_pacs_does_not_take_is_refused_with_the_reason(
    pacs: Pacs, objects: list[Outgoing], tmp_path: Path
) -> None:
    ds = mr_series(Grid(slices=1), name="other")[0]
    content = to_bytes(ds).replace(b"1.2.840.10008.5.1.4.1.1.4\0", b"1.2.840.10008.5.1.4.1.1.2\0")
    path = tmp_path / "ct.dcm"
    path.write_bytes(content)
    ct = Outgoing("SR", "1.2.840.10008.5.1.4.1.1.2", str(ds.SOPInstanceUID), path)
    outcomes = DicomPeer("out", pacs.peer).deliver([objects[0], ct, objects[1]])
    assert [one.meaning for one in outcomes] == [Meaning.DELIVERED, Meaning.REFUSED, Meaning.DELIVERED]
    assert "presentation context" in outcomes[1].answer


def test_a_pacs_that_takes_none_of_the_classes_refuses_and_is_not_called_unreachable(
    pacs: Pacs, objects: list[Outgoing]
) -> None:
    pacs.stop()
    pacs.start(("1.2.840.10008.1.2.4.90",))
    outcomes = DicomPeer("out", pacs.peer).deliver(objects)
    assert [one.meaning for one in outcomes] == [Meaning.REFUSED] * 3
    assert "presentation context" in outcomes[0].answer


def test_a_folder_holds_whole_files_only(tmp_path: Path, objects: list[Outgoing]) -> None:
    Folder("out", tmp_path / "deep" / "out").deliver(objects)
    files = sorted((tmp_path / "deep" / "out").iterdir())
    assert [path.name for path in files] == sorted(f"seg-{one.sop_instance_uid}.dcm" for one in objects)
    assert sorted(path.read_bytes() for path in files) == sorted(one.path.read_bytes() for one in objects)


def test_the_name_of_a_file_in_a_folder_is_forced_to_the_disk_before_it_counts(
    tmp_path: Path, objects: list[Outgoing], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, forced = tmp_path / "out", list[list[str]]()
    force = os.fsync

    def noted(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").resolve() == out.resolve():
            forced.append([path.name for path in out.iterdir()])
        force(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    Folder("out", out).deliver(objects[:1])
    assert forced == [[f"seg-{objects[0].sop_instance_uid}.dcm"]]


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path, objects: list[Outgoing]) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DestinationUnavailable, match="out: the folder cannot be written"):
        Folder("out", tmp_path / "file" / "out").deliver(objects)
