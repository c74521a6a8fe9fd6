"""Other people's PACS as destinations: Debian's Orthanc by C-STORE, STOW-RS and its own API, with proof."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from node.adapters.destinations.dicom import DicomPeer
from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.adapters.destinations.stow import HttpServer, StowServer
from node.app.node import Node
from node.config import Settings
from node.pipeline.gate import Policy, Proof
from node.scp.commitment_report import commitment_reports
from tests.archive import DICOMWEB, PASSWORD, USER, Archive
from tests.bench import until
from tests.delivering import Site, site
from tests.destinations import objects, said
from tests.listening import listening
from tests.orthanc import free_port, orthanc
from tests.processes import PATIENCE_S
from tests.real import SERIES
from tests.replicas import middle_last
from tests.system.test_orthanc import settled
from tests.triton_fixture import REPOSITORY


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as opened:
        yield opened


def test_orthanc_commits_to_what_it_was_sent(at: Site, tmp_path: Path) -> None:
    with listening(tmp_path / "node", services=[commitment_reports(at.delivering.promises)]) as node:
        with orthanc(tmp_path / "orthanc", {"node": ("MRICORE", node.port)}) as pacs:
            peer = Peer(pacs.ae_title, "127.0.0.1", pacs.dicom_port, "MRICORE", timeout_seconds=120)
            at.destinations["pacs"], at.policies["pacs"] = DicomPeer("pacs", peer), Policy(proof=Proof.COMMITMENT)
            number = at.job("pacs")
            assert "storage commitment asked for" in at.attempt(number)

            def delivered() -> bool:
                at.clock.advance(0.1)
                return at.run() == ["delivered to pacs"]

            until(delivered, "a report that the node heard", PATIENCE_S)
        assert {answer for _, _, answer, _ in at.answers(number)} == {"0000; storage commitment"}


def test_orthanc_finds_what_it_was_sent(at: Site, tmp_path: Path) -> None:
    with orthanc(
        tmp_path / "orthanc", {"node": ("MRICORE", free_port())}
    ) as pacs:  # whom it does not know it tells nothing
        peer = Peer(pacs.ae_title, "127.0.0.1", pacs.dicom_port, "MRICORE", timeout_seconds=120)
        at.destinations["pacs"] = DicomPeer("pacs", peer, reads_back=True)
        number = at.job("pacs")
        assert at.attempt(number) == "delivered to pacs"
        assert {answer for _, _, answer, _ in at.answers(number)} == {"0000; found by C-FIND"}


def test_orthanc_s_dicomweb_plugin_takes_and_finds_what_it_was_sent(archive: Archive, tmp_path: Path) -> None:
    if not Path(DICOMWEB).is_file():
        pytest.skip("needs the Debian package orthanc-dicomweb")
    archive.stop()
    archive.start(Plugins=[DICOMWEB])
    server = HttpServer(f"{archive.url}/dicom-web", USER, PASSWORD, timeout_seconds=120)
    sent = objects(tmp_path)
    known = StowServer("archive", server, reads_back=True)
    assert said(known.deliver(sent)) == [("delivered", "200; found by QIDO-RS")] * 2
    assert said(known.deliver(sent)) == [("delivered", "200; found by QIDO-RS")] * 2
    kept = archive.http.get("/instances").json()
    assert {archive.http.get(f"/instances/{one}/file").content for one in kept} == {
        one.path.read_bytes() for one in sent
    }


def test_destinations_are_tested_and_listed_on_the_command_line(archive: Archive, tmp_path: Path) -> None:
    archive.stop()
    dicom_port = free_port()
    plugins = [DICOMWEB] if Path(DICOMWEB).is_file() else []
    archive.start(Plugins=plugins, DicomServerEnabled=True, DicomPort=dicom_port, DicomAlwaysAllowFind=True)
    known = [
        {"name": "by-dicom", "kind": "dicom", "ae_title": "ORTHANC", "host": "127.0.0.1", "port": dicom_port},
        {"name": "by-rest", "kind": "orthanc", "url": archive.url, "remove_test_object": True},
        {"name": "gone", "kind": "dicom", "ae_title": "GONE", "host": "127.0.0.1", "port": free_port()},
    ]
    if plugins:
        known.append({"name": "by-stow", "kind": "stow", "url": f"{archive.url}/dicom-web"})
    for one in known:
        if "url" in one:
            one |= {"user": USER, "password": PASSWORD}
    settings = tmp_path / "node.toml"
    settings.write_text(toml(tmp_path, known))
    for one in known:
        done = command(settings, "test", str(one["name"]))
        seen = json.loads(done.stdout)
        if one["name"] == "gone":
            assert (done.returncode, seen["works"], seen["stored"]) == (1, False, ""), done.stderr
            continue
        assert (done.returncode, seen["works"], seen["found"]) == (0, True, "found"), (one, done.stdout, done.stderr)
        if one["kind"] == "dicom":
            assert {"Segmentation", "Comprehensive 3D SR", "Study Root Query"} <= set(seen["takes"])
            assert seen["forms"][-1] in ("BINARY", "Secondary Capture")
        if one["kind"] == "orthanc":
            assert seen["removed"] == "removed"
            assert archive.http.get("/instances").json() == []
    listed = {one["destination"]: one for one in json.loads(command(settings, "list").stdout)}
    assert listed["by-dicom"]["card"]["works"]
    assert listed["gone"]["tested"].endswith("does not work")
    assert PASSWORD not in json.dumps(listed)


def test_a_whole_node_delivers_to_the_member_of_a_group_that_lives(archive: Archive, tmp_path: Path) -> None:
    source = SERIES / "siemens-t1-sag-hfs"
    if not source.is_dir():
        pytest.skip(f"no real data at {SERIES}")
    settings = Settings.model_validate(
        {
            "node": {"data_dir": tmp_path / "node", "stop_seconds": 5},
            "dicom": {"host": "127.0.0.1", "port": 0, "accept": "any"},
            "http": {"port": 0},
            "storage": {"low_watermark": 0},
            "triton": {"models": REPOSITORY},
            "completion": {"quiet_seconds": 3, "grid_seconds": 1, "settle_seconds": 0.5},
            "destination": [
                {"name": "dead", "kind": "stow", "url": f"http://127.0.0.1:{free_port()}"},
                {
                    "name": "alive",
                    "kind": "orthanc",
                    "url": archive.url,
                    "user": USER,
                    "password": PASSWORD,
                    "proof": "query",
                },
            ],
            "destination_group": [{"name": "pacs", "members": ["dead", "alive"]}],
        }
    )
    node = Node(settings)
    try:
        node.start()
        peer = Peer("MRICORE", "127.0.0.1", node.dicom_port, "SCANNER")
        files = [(path, read_file_head(path)) for path in middle_last(sorted(source.iterdir()))]
        assert {one.status for one in send(peer, files)} == {0x0000}
        line = settled(node, str(dcmread(files[0][0], stop_before_pixels=True).SeriesInstanceUID))
    finally:
        node.stop()
    (job,) = line.jobs
    assert job.state == "completed", job.reason
    assert {answer for *_, answer in job.deliveries} == {"alive: stored; read back and compared"}
    kinds = {one["MainDicomTags"]["Modality"] for one in archive.http.get("/series?expand").json()}
    assert kinds == {"SEG", "SR"}


def command(settings: Path, *words: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "node", "destinations", *words, "--config", str(settings), "--json"]
    return subprocess.run(call, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def toml(folder: Path, destinations: list[dict[str, Any]]) -> str:
    lines = ["[node]", f"data_dir = {json.dumps(str(folder / 'node'))}"]
    for one in destinations:
        lines += ["[[destination]]", *(f"{key} = {json.dumps(value)}" for key, value in one.items())]
    return "\n".join(lines)
