"""STOW-RS as a destination: what each answer of a server means for what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.adapters.destinations.stow import HttpServer, StowServer
from node.adapters.destinations.tls import client_context
from node.errors import BadConfiguration, DestinationUnavailable
from tests.certificates import Authority
from tests.destinations import StowServer as Told
from tests.destinations import objects, response, said, stow_server
from tests.orthanc import free_port
from tests.ways_in import desk, dicomweb


@pytest.fixture
def told() -> Iterator[Told]:
    with stow_server() as server:
        yield server


def destination(server: HttpServer, *, reads_back: bool = False) -> StowServer:
    return StowServer("pacs", replace(server, timeout_seconds=60), reads_back=reads_back)


def to(told: Told) -> StowServer:
    return destination(HttpServer(told.url))


def test_objects_go_in_one_request_byte_for_byte(told: Told, tmp_path: Path) -> None:
    sent = objects(tmp_path)
    assert said(to(told).deliver(sent)) == [("delivered", "200")] * 2
    ((headers, body),) = told.requests
    assert headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert int(headers["content-length"]) == len(body)
    assert all(one.path.read_bytes() in body for one in sent)


def test_a_node_of_ours_takes_them(tmp_path: Path) -> None:
    sent = objects(tmp_path, 3)
    with desk(tmp_path / "desk") as opened, dicomweb(opened) as port:
        outcomes = destination(HttpServer(f"http://127.0.0.1:{port}/dicom-web")).deliver(sent)
        assert {one.meaning.value for one in outcomes} == {"delivered"}
        assert set(opened.stored()) == {one.sop_instance_uid for one in sent}


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [
        (0x0111, "delivered"),
        (45070, "delivered"),
        (0xB000, "delivered"),
        (0xA700, "wait"),
        (0xA900, "refused"),
        (0xC000, "refused"),
        (0xC122, "refused"),
        (0x0122, "refused"),
        (0x0110, "refused"),
    ],
)
@pytest.mark.parametrize("status", [202, 409])
def test_the_failure_reason_of_each_object_is_read(
    told: Told, tmp_path: Path, status: int, reason: int, meaning: str
) -> None:
    first, second = objects(tmp_path)
    told.answers = [(status, response({second.sop_instance_uid: reason}, [first.sop_instance_uid]))]
    assert said(to(told).deliver([first, second])) == [
        ("delivered", str(status)),
        (meaning, f"{status}, Failure Reason {reason:04X}"),
    ]


@pytest.mark.parametrize("body", [b"", b"accepted", b"[]", b"[7]", b'{"00081198": 1}', {"00081199": {"Value": [4]}}])
def test_a_202_that_names_no_object_is_no_delivery(told: Told, tmp_path: Path, body: object) -> None:
    told.answers = [(202, body)]
    assert [one.meaning.value for one in to(told).deliver(objects(tmp_path))] == ["wait", "wait"]


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 429, 500, 502, 503, 504, 507])
def test_what_says_nothing_of_the_object_waits(told: Told, tmp_path: Path, status: int) -> None:
    told.answers = [(status, b"")]
    with pytest.raises(DestinationUnavailable, match=f"pacs answers HTTP status {status}"):
        to(told).deliver(objects(tmp_path))


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("120", 120.0), ("Wed, 05 Jan 2028 12:00:30 GMT", 30.0), ("soon", None), ("", None),
        ("9" * 18, 86400.0), (f"Wed, 05 Jan 2028 12:00:00 +{'9' * 20}", None),
    ],
)  # fmt: skip
def test_a_busy_server_says_how_long_it_wants_to_be_left_alone(
    told: Told, tmp_path: Path, after: str, seconds: float | None
) -> None:
    told.answers, told.headers = [(503, b"")], {"Retry-After": after, "Date": "Wed, 05 Jan 2028 12:00:00 GMT"}
    with pytest.raises(DestinationUnavailable) as busy:
        to(told).deliver(objects(tmp_path))
    # The server writes a Date of its own where the test's is the second one.
    assert busy.value.retry_after == seconds or after.endswith(":30 GMT")


@pytest.mark.parametrize("status", [400, 409, 413, 415])
def test_what_the_server_will_never_take_is_refused(told: Told, tmp_path: Path, status: int) -> None:
    told.answers = [(status, b"")] * 3
    assert said(to(told).deliver(objects(tmp_path))) == [("refused", f"HTTP status {status}")] * 2


def test_one_that_is_too_large_does_not_keep_the_others_back(told: Told, tmp_path: Path) -> None:
    told.answers = [(413, b""), (413, b"")]
    assert [one.meaning.value for one in to(told).deliver(objects(tmp_path))] == ["refused", "delivered"]


def test_a_server_that_goes_away_in_between_leaves_what_was_answered(told: Told, tmp_path: Path) -> None:
    told.answers = [(413, b""), (200, b""), (503, b"")]
    assert [one.meaning.value for one in to(told).deliver(objects(tmp_path))] == ["delivered", "wait"]


def test_nobody_there_and_nobody_answering_both_wait(told: Told, tmp_path: Path) -> None:
    with pytest.raises(DestinationUnavailable, match="cannot be reached"):
        destination(HttpServer(f"http://127.0.0.1:{free_port()}")).deliver(objects(tmp_path))
    told.silence_s = 60
    with pytest.raises(DestinationUnavailable, match="does not answer in time"):
        StowServer("pacs", HttpServer(told.url, timeout_seconds=0.3)).deliver(objects(tmp_path))


@pytest.mark.parametrize(
    ("demanded", "server"),
    [
        ("Basic bm9kZTpvcGVu", HttpServer("", user="node", password="open")),
        ("Bearer abc.def", HttpServer("", token="abc.def")),
    ],
)
def test_the_node_says_who_it_is(told: Told, tmp_path: Path, demanded: str, server: HttpServer) -> None:
    told.authorization = demanded
    known = destination(replace(server, url=told.url))
    assert said(known.deliver(objects(tmp_path))) == [("delivered", "200")] * 2
    with pytest.raises(DestinationUnavailable, match="401") as closed:
        destination(HttpServer(told.url, user="node", password="secret")).deliver(objects(tmp_path))
    assert "secret" not in str(closed.value)


def test_both_sides_show_a_certificate(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    with stow_server(certificate=authority.issue("pacs"), ca=authority.file) as told:
        mine = client_context("pacs", authority.file, *authority.issue("node"))
        assert (
            said(destination(HttpServer(told.url, tls=mine)).deliver(objects(tmp_path))) == [("delivered", "200")] * 2
        )
        nameless = client_context("pacs", authority.file)
        misled = client_context("pacs", stranger.file, *authority.issue("node"))
        for context in (nameless, misled):
            with pytest.raises(DestinationUnavailable, match="cannot be reached"):
                destination(HttpServer(told.url, tls=context)).deliver(objects(tmp_path))


def test_tls_files_that_are_no_good_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(BadConfiguration, match="destination pacs: tls_ca"):
        client_context("destination pacs: tls_ca", tmp_path / "ca.pem")


def test_what_was_taken_is_looked_for_where_the_site_wants_proof(told: Told, tmp_path: Path) -> None:
    sent = objects(tmp_path)
    proving = destination(HttpServer(told.url), reads_back=True)
    assert said(proving.deliver(sent)) == [("delivered", "200; found by QIDO-RS")] * 2
    told.forgets = True
    lost = objects(tmp_path, name="lost")
    assert said(proving.deliver(lost)) == [("wait", "200; QIDO-RS does not find it yet")] * 2


@pytest.mark.parametrize("text", [b"\xff\xfe", b'{"00081198":{"Value":[{"00081155":{"Value":[{}]}}]}}', b"[[]]"])
def test_no_answer_breaks_the_reader(told: Told, tmp_path: Path, text: bytes) -> None:
    told.answers = [(409, text)]
    assert [one.meaning.value for one in to(told).deliver(objects(tmp_path))] == ["refused", "refused"]
