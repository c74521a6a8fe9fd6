"""A real Orthanc as a destination: upload, read back, remove, and what its answers mean."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from node.adapters.destinations import Outgoing
from node.adapters.destinations.orthanc import OrthancDestination, OrthancServer
from node.errors import DestinationUnavailable
from tests.archive import PASSWORD, USER, Archive
from tests.destinations import objects, said
from tests.orthanc import free_port
from tests.synthetic import Grid, mr_series, to_bytes


def destination(archive: Archive, password: str = PASSWORD) -> OrthancDestination:
    return OrthancDestination(
        "archive", OrthancServer(archive.url, USER, password, timeout_seconds=40), labels=["ai"], reads_back=True
    )


def test_what_was_uploaded_is_read_back_compared_and_removed(archive: Archive, tmp_path: Path) -> None:
    sent, known = objects(tmp_path), destination(archive)
    known.probe()
    first = [answer for _, answer in said(known.deliver(sent))]
    assert all(answer.startswith("stored; read back and compared; ") for answer in first)
    again = known.deliver(sent)
    assert [one.meaning.value for one in again] == ["delivered"] * 2
    assert all(one.answer.startswith("already there; read back and compared") for one in again)
    assert known.find(sent[0])
    assert known.remove(sent[0].sop_instance_uid)
    assert not known.find(sent[0])
    assert not known.remove(sent[0].sop_instance_uid)


def test_another_object_under_the_same_uid_is_no_delivery(archive: Archive, tmp_path: Path) -> None:
    (sent,) = objects(tmp_path, 1)
    assert destination(archive).deliver([sent])[0].meaning.value == "delivered"
    changed = mr_series(Grid(slices=1), name="sent", change={"SeriesDescription": "another"})[0]
    other = tmp_path / "other.dcm"
    other.write_bytes(to_bytes(changed))
    (outcome,) = destination(archive).deliver([Outgoing("SEG", sent.sop_class_uid, sent.sop_instance_uid, other)])
    assert said([outcome]) == [("wait", "already there; what Orthanc keeps is not what was sent")]


def test_bytes_that_are_no_dicom_are_refused(archive: Archive, tmp_path: Path) -> None:
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"no DICOM")
    (good,) = objects(tmp_path, 1)
    outcomes = destination(archive).deliver([Outgoing("SEG", "1.2", "1.2.3", broken), good])
    assert [one.meaning.value for one in outcomes] == ["refused", "delivered"]
    assert outcomes[0].answer == "HTTP status 400"


def test_a_wrong_password_waits_for_a_person_and_is_not_repeated(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(DestinationUnavailable, match="look at user and password") as closed:
        destination(archive, "wrong secret").deliver(objects(tmp_path))
    assert "wrong secret" not in str(closed.value)


def test_an_orthanc_that_is_not_there_waits(tmp_path: Path) -> None:
    nobody = OrthancDestination("archive", OrthancServer(f"http://127.0.0.1:{free_port()}", timeout_seconds=2))
    with pytest.raises(DestinationUnavailable, match="cannot be reached"):
        nobody.deliver(objects(tmp_path))
    with pytest.raises(DestinationUnavailable):
        nobody.probe()


def test_labels_are_put_on_the_study(tmp_path: Path) -> None:
    with newer_orthanc() as (url, labeled):
        known = OrthancDestination("archive", OrthancServer(url), labels=["ai", "head"])
        assert said(known.deliver(objects(tmp_path, 1))) == [("delivered", "stored; labeled ai, head")]
    assert labeled == ["/studies/s1/labels/ai", "/studies/s1/labels/head"]


def test_what_answers_otherwise_than_an_orthanc_is_told_of(tmp_path: Path) -> None:
    with newer_orthanc() as (url, _), pytest.raises(DestinationUnavailable, match="archive: what answers is not"):
        OrthancDestination("archive", OrthancServer(url)).find(objects(tmp_path, 1)[0])


@contextmanager
def newer_orthanc() -> Iterator[tuple[str, list[str]]]:
    """Debian's Orthanc 1.10 has no labels: the two calls of 1.12, as its manual describes them. It finds nothing."""
    labeled: list[str] = []

    async def store(request: Request) -> Response:
        await request.body()
        return Response(json.dumps({"ID": "i1", "ParentStudy": "s1", "Status": "Success"}))

    async def label(request: Request) -> Response:
        labeled.append(request.url.path)
        return Response("{}")

    async def lookup(_request: Request) -> Response:
        return Response("7")

    routes = [
        Route("/instances", store, methods=["POST"]),
        Route("/tools/lookup", lookup, methods=["POST"]),
        Route("/studies/{study}/labels/{label}", label, methods=["PUT"]),
    ]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", labeled
        finally:
            server.should_exit = True
            thread.join(60)
