"""Instances come in by Store (STOW-RS, PS3.18 10.5), also from clients that do not keep to the book."""

from __future__ import annotations

import json
import socket
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.encoded import Uids
from node.web.dicomweb.media import DICOM_JSON
from node.web.dicomweb.store_response import StoreResponse, encode
from tests.bench import until
from tests.synthetic import Grid, mr_series, to_bytes
from tests.ways_in import Desk, desk, dicomweb

_NO_SIZE_LIMIT = 1 << 40
_BOUNDARY = "a-boundary"
_MULTIPART = f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'


@dataclass(frozen=True)
class Service:
    """A node's Store service on a free port."""

    desk: Desk
    http: httpx.Client
    port: int

    def store(self, body: bytes | Iterator[bytes], content_type: str = _MULTIPART, study: str = "") -> httpx.Response:
        path = f"/dicom-web/studies/{study}" if study else "/dicom-web/studies"
        return self.http.post(path, content=body, headers={"Content-Type": content_type})


StartService = Callable[..., Service]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartService]:
    with ExitStack() as closing:

        def begin(*, low_watermark: int = 0, max_request: int = _NO_SIZE_LIMIT) -> Service:
            opened = closing.enter_context(desk(tmp_path, low_watermark))
            port = closing.enter_context(dicomweb(opened, max_request))
            client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
            return Service(opened, closing.enter_context(client), port)

        yield begin


@pytest.fixture
def service(start: StartService) -> Service:
    return start()


def multipart(*parts: bytes, content_type: str | None = "application/dicom", end: str = "--\r\n") -> bytes:
    header = f"Content-Type: {content_type}\r\n" if content_type else ""
    opened = f"--{_BOUNDARY}\r\n{header}\r\n".encode()
    return b"".join(opened + part + b"\r\n" for part in parts) + f"--{_BOUNDARY}{end}".encode()


def images(number: int, name: str = "stow") -> list[Dataset]:
    return mr_series(Grid(slices=number), name=name)


def uids(response: httpx.Response, tag: str) -> list[str]:
    items = response.json().get(tag, {}).get("Value", [])
    return [item["00081155"]["Value"][0] for item in items]


def reasons(response: httpx.Response, tag: str) -> list[int]:
    return [item["00081197"]["Value"][0] for item in response.json()[tag]["Value"]]


_STORED = ((1, 1), (1, 2), (2, 1))  # study, instance
STORED, FAILED, OTHER = "00081199", "00081198", "0008119A"


def test_every_instance_of_a_request_is_stored_and_named_in_the_response(service: Service) -> None:
    made = images(3)
    response = service.store(multipart(*map(to_bytes, made)))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/dicom+json"
    assert uids(response, STORED) == [ds.SOPInstanceUID for ds in made]
    assert set(service.desk.stored()) == {ds.SOPInstanceUID for ds in made}
    assert {line[:4] for line in service.desk.receipts()} == {("stow", "STOW", "stored", 0)}


def test_the_stored_bytes_are_those_that_were_sent(service: Service) -> None:
    (ds,) = images(1)
    service.store(multipart(to_bytes(ds)))
    assert dcmread(service.desk.stored()[ds.SOPInstanceUID]) == ds


@pytest.mark.parametrize(
    "content_type",
    [
        f"multipart/related; type=application/dicom; boundary={_BOUNDARY}",
        f'multipart/related; boundary="{_BOUNDARY}"',
        f'Multipart/Related;boundary={_BOUNDARY};Type="application/DICOM"',
        f'multipart/related; type="application/octet-stream"; boundary={_BOUNDARY}',
    ],
)
@pytest.mark.parametrize("part_type", ["application/dicom", "application/dicom; transfer-syntax=*", None])
def test_media_types_may_be_quoted_spelt_or_missing_as_clients_like(
    service: Service, content_type: str, part_type: str | None
) -> None:
    (ds,) = images(1)
    response = service.store(multipart(to_bytes(ds), content_type=part_type), content_type)
    assert response.status_code == 200


def test_a_single_instance_may_come_without_multipart(service: Service) -> None:
    (ds,) = images(1)
    response = service.store(to_bytes(ds), "application/dicom")
    assert response.status_code == 200
    assert uids(response, STORED) == [ds.SOPInstanceUID]


def test_a_line_break_before_and_text_after_the_parts_are_no_parts(service: Service) -> None:
    (ds,) = images(1)
    response = service.store(b"\r\n" + multipart(to_bytes(ds)) + b"the end")
    assert response.status_code == 200


def test_the_same_instance_again_is_stored_once_and_answered_as_stored(service: Service) -> None:
    (ds,) = images(1)
    assert service.store(multipart(to_bytes(ds), to_bytes(ds))).status_code == 200
    assert service.desk.dispositions() == ["stored", "duplicate"]


def test_an_instance_of_another_study_than_the_request_s_is_refused(service: Service) -> None:
    (mine,), (other,) = images(1), images(1, "another")
    response = service.store(multipart(to_bytes(mine), to_bytes(other)), study=mine.StudyInstanceUID)
    assert response.status_code == 202
    assert uids(response, STORED) == [mine.SOPInstanceUID]
    assert uids(response, FAILED) == [other.SOPInstanceUID]
    assert reasons(response, FAILED) == [0xA900]
    assert set(service.desk.stored()) == {mine.SOPInstanceUID}


def test_a_request_whose_every_instance_conflicts_is_answered_409(service: Service) -> None:
    (ds,) = images(1)
    response = service.store(multipart(to_bytes(ds)), study="1.2.3")
    assert response.status_code == 409
    assert reasons(response, FAILED) == [0xA900]
    assert "Study Instance UID" in response.headers["warning"]


def test_an_instance_whose_file_meta_information_contradicts_it_is_refused(service: Service) -> None:
    (ds,) = images(1)
    sent = to_bytes(ds)
    ds.SOPInstanceUID = ds.SOPInstanceUID[:-1] + ("1" if ds.SOPInstanceUID[-1] != "1" else "2")
    twisted = bytearray(sent)
    at = twisted.rindex(str(ds.file_meta.MediaStorageSOPInstanceUID).encode())
    twisted[at : at + len(ds.SOPInstanceUID)] = ds.SOPInstanceUID.encode()
    response = service.store(multipart(bytes(twisted)))
    assert response.status_code == 409
    assert reasons(response, FAILED) == [0xA900]


def test_what_is_not_dicom_fails_beside_good_instances_and_says_why(service: Service) -> None:
    (ds,) = images(1)
    response = service.store(multipart(b"no DICOM at all" * 9000, to_bytes(ds), b""))
    assert response.status_code == 202
    assert uids(response, STORED) == [ds.SOPInstanceUID]
    assert reasons(response, OTHER) == [0xC000, 0xC000]
    assert "not a DICOM file" in response.headers["warning"]


@pytest.mark.parametrize(
    ("tag", "uid", "reason"),
    [("SOPClassUID", "1.2.840.10008.1.1", 0x0122), ("TransferSyntaxUID", "1.2.3.4.5", 0xC122)],
)
def test_unknown_classes_and_transfer_syntaxes_are_refused(service: Service, tag: str, uid: str, reason: int) -> None:
    (ds,) = images(1)
    sent = to_bytes(ds)
    old = str(ds.SOPClassUID if tag == "SOPClassUID" else ds.file_meta.TransferSyntaxUID)
    padded = uid.encode().ljust(len(old) + len(old) % 2, b"\0")
    response = service.store(multipart(sent.replace(old.encode().ljust(len(padded), b"\0"), padded)))
    assert response.status_code == 409
    assert reasons(response, FAILED) == [reason]
    assert service.desk.stored() == {}


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("", 415),
        (f'multipart/related; type="application/json"; boundary={_BOUNDARY}', 415),
        ('multipart/related; type="application/dicom"', 400),
        (f'multipart/related; type="application/dicom"; boundary={"x" * 300}', 400),
    ],
)
def test_other_media_types_and_bad_boundaries_are_refused_with_a_sentence(
    service: Service, content_type: str, status: int
) -> None:
    response = service.store(multipart(to_bytes(images(1)[0])), content_type)
    assert response.status_code == status
    assert response.json()["reason"]
    assert service.desk.receipts() == []


def test_a_part_of_another_media_type_alone_is_answered_415(service: Service) -> None:
    response = service.store(multipart(b"{}", content_type="application/dicom+json"))
    assert response.status_code == 415


@pytest.mark.parametrize("body", [b"", b"nothing", multipart(), b"--a-boundaryX\r\n\r\n"])
def test_a_body_without_parts_is_answered_400(service: Service, body: bytes) -> None:
    assert service.store(body).status_code == 400


def test_a_body_that_ends_too_soon_stores_its_whole_parts_only(service: Service) -> None:
    first, second = images(2)
    body = multipart(to_bytes(first), to_bytes(second))
    response = service.store(body[: -len(_BOUNDARY) - 20])
    assert response.status_code == 202
    assert set(service.desk.stored()) == {first.SOPInstanceUID}


def test_a_client_that_goes_away_leaves_nothing_of_the_unfinished_part(service: Service) -> None:
    first, second = images(2)
    body = multipart(to_bytes(first), to_bytes(second) + bytes(4 << 20))
    lines = ("POST /dicom-web/studies HTTP/1.1", "Host: x", f"Content-Type: {_MULTIPART}")
    head = "\r\n".join((*lines, f"Content-Length: {len(body)}", "", ""))
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
        connection.sendall(head.encode() + body[:-1000])
    until(lambda: len(service.desk.stored()) == 1 and not list(service.desk.files.root.rglob("*.part")), "one is kept")
    assert set(service.desk.stored()) == {first.SOPInstanceUID}


def test_a_full_disk_is_answered_503_and_when_to_try_again(start: StartService) -> None:
    service = start(low_watermark=1 << 60)
    (ds,) = images(1)
    response = service.store(multipart(to_bytes(ds)))
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert reasons(response, FAILED) == [0xA700]


def test_a_request_that_says_it_is_too_large_is_refused_before_it_is_read(start: StartService) -> None:
    service = start(max_request=1000)
    response = service.store(multipart(to_bytes(images(1)[0])))
    assert response.status_code == 413
    assert service.desk.receipts() == []


def test_a_request_that_grows_too_large_ends_there_and_says_what_was_stored(start: StartService) -> None:
    service = start(max_request=1 << 20)
    (ds,) = images(1)

    def endless() -> Iterator[bytes]:
        yield multipart(to_bytes(ds), end="\r\n\r\n")
        for _ in range(64):
            yield bytes(1 << 16)

    response = service.store(endless())
    assert response.status_code == 202
    assert uids(response, STORED) == [ds.SOPInstanceUID]


def test_a_large_instance_streams_to_its_file(service: Service) -> None:
    (ds,) = images(1)
    ds.NumberOfFrames, ds.PixelData = 200, bytes(48 << 20)
    body = multipart(to_bytes(ds))
    response = service.store(body[at : at + (1 << 16)] for at in range(0, len(body), 1 << 16))
    assert response.status_code == 200
    assert service.desk.stored()[ds.SOPInstanceUID].stat().st_size > 48 << 20


def test_the_response_is_xml_for_those_who_ask(service: Service) -> None:
    (ds,) = images(1)
    response = service.http.post(
        "/dicom-web/studies",
        content=multipart(to_bytes(ds), b"bad"),
        headers={"Content-Type": _MULTIPART, "Accept": "application/dicom+xml, application/dicom+json; q=0.5"},
    )
    assert response.headers["content-type"] == "application/dicom+xml"
    root = ElementTree.fromstring(response.content)  # noqa: S314 # our own
    space = {"n": "http://dicom.nema.org/PS3.19/models/NativeDICOM"}
    found = root.find(
        "n:DicomAttribute[@keyword='ReferencedSOPSequence']/n:Item/n:DicomAttribute[@tag='00081155']", space
    )
    assert found is not None
    assert found.findtext("n:Value", namespaces=space) == ds.SOPInstanceUID
    assert root.find("n:DicomAttribute[@keyword='OtherFailuresSequence']", space) is not None


def test_the_response_says_where_the_study_is_to_be_had() -> None:
    """PS3.18 table I.2-1: Retrieve URL is of type 2, there also where it has no value."""
    one, other, elsewhere = (Uids("1.2", f"1.3.{study}.{number}", f"1.{study}", "1.9") for study, number in _STORED)
    node = "http://node/dicom-web/"
    for stored, base, url in (
        ((one, other), node, [f"{node}studies/1.1"]),
        ((one, elsewhere), node, None),
        ((), node, None),
        ((one,), "", None),
    ):
        said = json.loads(encode(StoreResponse(stored, ()), DICOM_JSON, base))
        assert said["00081190"] == ({"vr": "UR", "Value": url} if url else {"vr": "UR"})


def test_four_clients_at_once_lose_nothing(service: Service) -> None:
    series = [images(8, f"client {number}") for number in range(4)]
    answers: list[int] = []

    def send(made: list[Dataset]) -> None:
        answers.append(service.store(multipart(*map(to_bytes, made))).status_code)

    threads = [threading.Thread(target=send, args=(made,)) for made in series]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert answers == [200] * 4
    assert len(service.desk.stored()) == 32


def test_dicomweb_client_stores_with_this_node(service: Service) -> None:
    client = pytest.importorskip("dicomweb_client")
    made = images(2)
    answer = client.DICOMwebClient(f"http://127.0.0.1:{service.port}/dicom-web").store_instances(made)
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [
        ds.SOPInstanceUID for ds in made
    ]
