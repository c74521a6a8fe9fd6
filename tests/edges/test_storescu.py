"""The Storage SCU: bytes as they are, converted only when the peer insists, and every file answered for."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless

from node.adapters.destinations.dicom import DicomPeer
from node.adapters.destinations.storescu import Peer, echo, read_file_head, send
from node.core.part10 import Head
from node.core.status import SUCCESS
from node.errors import BadInstance, DestinationUnavailable
from tests.edges.test_destinations import EXPLICIT, IMPLICIT, Pacs, pacs
from tests.listening import listening
from tests.receiving import encoded
from tests.synthetic import Grid, mr_series, to_bytes, write

__all__ = ["pacs"]

# pydicom warns about the file that a test broke
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom.*")
DATASETS = mr_series(Grid(slices=4))


@pytest.fixture
def files(tmp_path: Path) -> list[tuple[Path, Head]]:
    return [(path, read_file_head(path)) for path in write(DATASETS, tmp_path / "series").values()]


@pytest.fixture
def implicit_pacs() -> Iterator[Pacs]:
    made = Pacs()
    made.start((IMPLICIT,))
    yield made
    made.stop()


def test_the_peer_gets_the_bytes_of_the_file(files: list[tuple[Path, Head]], tmp_path: Path) -> None:
    with listening(tmp_path / "node") as node:
        list(send(Peer("MRICORE", "127.0.0.1", node.port, "SCU"), files))
        assert sorted(line.sha256 for line in node.receipts()) == sorted(encoded(ds).sha256 for ds in DATASETS)


def test_an_instance_is_announced_as_its_data_set_names_it(tmp_path: Path) -> None:
    path = tmp_path / "copied.dcm"
    uid = DATASETS[0].SOPInstanceUID
    content = to_bytes(DATASETS[0])
    path.write_bytes(
        content.replace(uid.encode(), uid[:-1].encode() + (b"8" if uid[-1] == "9" else b"9"), 1)
    )  # in file meta information
    assert dcmread(path).file_meta.MediaStorageSOPInstanceUID != uid
    with listening(tmp_path / "node") as node:
        (answered,) = send(Peer("MRICORE", "127.0.0.1", node.port, "SCU"), [(path, read_file_head(path))])
        assert answered.status == SUCCESS
        assert [line.sop_instance_uid for line in node.receipts()] == [uid]


def test_answers_come_in_the_order_of_the_files(files: list[tuple[Path, Head]]) -> None:
    pacs = Pacs(answers=[0x0000, 0xB000, 0xA700, 0xC000])
    pacs.start()
    answered = list(send(pacs.peer, files))
    pacs.stop()
    assert [(one.path, one.status) for one in answered] == [
        (path, status) for (path, _), status in zip(files, (0x0000, 0xB000, 0xA700, 0xC000), strict=True)
    ]


def test_a_comment_is_taken_as_text_that_can_be_kept(files: list[tuple[Path, Head]]) -> None:
    said = Dataset()
    said.Status, said.ErrorComment = 0xA700, "no\0room\nhere"
    pacs = Pacs(answers=[cast("int", said)])
    pacs.start()
    (answered,) = send(pacs.peer, files[:1])
    pacs.stop()
    assert (answered.status, answered.comment) == (0xA700, "no?room?here")


def test_a_peer_that_takes_implicit_only_gets_the_same_data_set_implicit(
    implicit_pacs: Pacs, files: list[tuple[Path, Head]]
) -> None:
    assert {one.status for one in send(implicit_pacs.peer, files)} == {0x0000}
    assert set(implicit_pacs.syntaxes) == {IMPLICIT}
    assert [ds.PixelData for ds in implicit_pacs.came] == [ds.PixelData for ds in DATASETS]
    assert [ds.SeriesDescription for ds in implicit_pacs.came] == [ds.SeriesDescription for ds in DATASETS]


def test_what_cannot_be_converted_is_answered_for_and_the_rest_is_sent(
    implicit_pacs: Pacs, files: list[tuple[Path, Head]], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.dcm"
    endless = struct.pack("<HH2sHL", 0x0008, 0x0005, b"SQ", 0, 0xFFFFFFFF) + bytes(20)
    broken.write_bytes(to_bytes(DATASETS[0])[: files[0][1].data_set_at] + endless)
    answered = list(send(implicit_pacs.peer, [files[0], (broken, read_file_head(broken)), files[1]]))
    assert [one.status == 0x0000 for one in answered] == [True, False, True]
    assert answered[1].comment


def test_what_the_peer_does_not_take_is_answered_for(files: list[tuple[Path, Head]]) -> None:
    compressed = [(path, Head(head.sop_class_uid, head.sop_instance_uid, JPEG2000Lossless, head.data_set_at))
                  for path, head in files[:1]]  # fmt: skip
    pacs = Pacs()
    pacs.start((EXPLICIT,))
    answered = list(send(pacs.peer, [*compressed, *files[1:]]))
    pacs.stop()
    assert [one.status for one in answered] == [None, 0, 0, 0]


def test_more_kinds_than_an_association_can_negotiate_are_sent_over_several(
    files: list[tuple[Path, Head]],
) -> None:
    path, head = files[0]
    strange = [
        (path, Head(f"1.2.840.10008.5.1.4.1.1.999.{n}", head.sop_instance_uid, EXPLICIT, head.data_set_at))
        for n in range(150)
    ]
    pacs = Pacs()
    pacs.start()
    answered = list(send(pacs.peer, [*strange, *files]))
    pacs.stop()
    assert [one.status for one in answered] == [None] * 150 + [0] * 4


def test_who_does_not_offer_verification_is_there_all_the_same(pacs: Pacs) -> None:
    assert echo(pacs.peer) is False
    destination = DicomPeer("out", pacs.peer)
    destination.probe()
    assert destination.greet() == "takes associations, but not C-ECHO"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (b"\1\1\3", "rejects the association, calling AE title not recognized: admit SCU with"),
        (b"\2\3\2", "rejects the association for now, local limit exceeded: "),
        (b"\1\1\x0a", "rejects the association, source 1, reason 10: "),
        (b"\1\x09\3", "rejects the association, source 9, reason 3: "),
        (b"\1\0\0", "rejects the association, source 0, reason 0: "),
        (b"\x07\1\1", "rejects the association, no reason given: "),
        (b"\0\1\2", "rejects the association, application context name not supported: "),
    ],
)
def test_a_peer_that_rejects_is_told_with_its_reason_also_one_that_the_standard_reserves(
    fields: bytes, said: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as peer:
        rejecting = threading.Thread(target=_reject, args=(peer, fields))
        rejecting.start()
        to = Peer("PACS", "127.0.0.1", peer.getsockname()[1], "SCU", timeout_seconds=60)
        with pytest.raises(DestinationUnavailable) as told:
            echo(to)
        rejecting.join(60)
    assert str(told.value).startswith(f"{to} {said}")


def _reject(peer: socket.socket, fields: bytes) -> None:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    connection, _ = peer.accept()
    with connection:
        connection.recv(1 << 16)
        connection.sendall(b"\3\0\0\0\0\4\0" + fields)
        connection.recv(1)  # it goes first


def test_an_echo_is_answered_or_the_peer_unavailable(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        echo(Peer("MRICORE", "127.0.0.1", node.port, "SCU"))
        with pytest.raises(DestinationUnavailable, match="rejects"):
            echo(Peer("OTHER", "127.0.0.1", node.port, "SCU"))
        port = node.port
    with pytest.raises(DestinationUnavailable):
        echo(Peer("MRICORE", "127.0.0.1", port, "SCU", timeout_seconds=5))


@pytest.mark.parametrize("content", [b"", b"not DICOM", bytes(200)])
def test_a_file_that_is_not_dicom_is_told_apart(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(BadInstance):
        read_file_head(path)


def test_a_file_that_cannot_be_read_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BadInstance, match="cannot be read"):
        read_file_head(tmp_path / "missing.dcm")
