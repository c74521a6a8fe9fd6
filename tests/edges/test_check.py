"""`mricore-node check`: one line for each thing that a node needs, bounded in time, with the cure."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from node.adapters.database import Database
from node.app.checking import all_parts
from node.app.checking.machine import _disk, _port
from node.app.places import Places
from node.core.inspection import Seen, Verdict
from node.errors import BadConfiguration, StoreUnavailable
from node.pipeline.checking import Looked, Part, look_at
from tests.certificates import Authority
from tests.clock import Clock
from tests.command_line import mricore_node, settings_file
from tests.databases import migrated
from tests.keeping import keeping, settings_of
from tests.listening import now
from tests.orthanc import free_port
from tests.processes import PATIENCE_S

SLOW = frozenset({"triton", "models"})


def seen(folder: Path, **more: object) -> dict[str, Seen]:
    """Every part but those that start a server."""
    settings = settings_of(folder, **more)
    database = migrated(Database(settings.database_url))
    parts = [one for one in all_parts(Places(settings, database), database, now) if one.name not in SLOW]
    found = {one.part: one for one in look_at([replace(one, seconds=PATIENCE_S) for one in parts])}
    database.close()
    return found


def test_a_look_that_hangs_is_left_behind_and_the_others_are_told() -> None:
    hangs = threading.Event()
    parts = [
        Part("hangs", lambda: str(hangs.wait(600)), 0.3, "look there"),
        *(Part(f"{number}", lambda: "well") for number in range(20)),
        Part("down", partial(_raise, StoreUnavailable("it is down")), cure="start it"),
        Part("wrong", partial(_raise, BadConfiguration("key", "is wrong", "mend it"))),
        Part("broken", partial(_raise, ZeroDivisionError())),
        Part("so so", lambda: Looked(Verdict.ATTENTION, "soon", "do it")),
    ]
    begin = time.monotonic()
    told = {one.part: one for one in look_at(parts, at_once=2)}
    hangs.set()
    assert time.monotonic() - begin < 300
    assert len(told) == len(parts)
    assert (told["hangs"].verdict, told["hangs"].cure) == (Verdict.FAILED, "look there")
    assert (told["down"].sentence, told["down"].cure) == ("it is down", "start it")
    assert (told["wrong"].sentence, told["wrong"].cure) == ("key: is wrong", "mend it")
    assert "see its log" in told["broken"].sentence
    assert told["so so"].verdict is Verdict.ATTENTION


def _raise(fault: Exception) -> str:
    raise fault


def test_a_node_that_is_well_has_a_line_for_everything(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    found = seen(tmp_path)
    assert {
        "configuration", "database", "database integrity", "ledger", "store", "disk of data", "memory", "clock",
        "port of DICOM", "port of HTTP", "name of this machine", "permissions", "rules", "processes",
    } <= set(found)  # fmt: skip
    assert "SQLite" in found["database"].sentence
    assert "forced in" in found["disk of data"].sentence
    assert found["database integrity"].verdict is Verdict.OK
    assert found["permissions"].verdict is Verdict.OK
    assert not list(tmp_path.glob(".check-*"))


def test_a_damaged_database_is_found(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    database = Database(settings.database_url)
    database.migrate()
    database.close()
    file = tmp_path / "node.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'receipt'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    with file.open("r+b") as raw:
        raw.seek((page - 1) * size)
        raw.write(os.urandom(size))
    found = seen_of(settings.database_url, tmp_path)
    assert found["database integrity"].verdict is Verdict.FAILED
    assert "restore the last backup" in found["database integrity"].cure


def seen_of(url: str, folder: Path) -> dict[str, Seen]:
    database = Database(url)
    parts = all_parts(Places(settings_of(folder), database), database, now)
    (part,) = [one for one in parts if one.name == "database integrity"]
    found = {one.part: one for one in look_at([replace(part, seconds=PATIENCE_S)])}
    database.close()
    return found


def test_certificates_keys_and_folders_are_looked_at(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("node")
    key.chmod(0o644)
    tmp_path.chmod(0o755)
    tls = {"tls_port": free_port(), "tls_certificate": certificate, "tls_key": key, "tls_ca": tmp_path / "none.pem"}
    found = seen(tmp_path, dicom={"host": "127.0.0.1", "port": free_port(), **tls})
    assert "days" in found["certificate of dicom.tls_certificate"].sentence
    assert found["certificate of dicom.tls_ca"].verdict is Verdict.FAILED
    assert found["permissions"].verdict is Verdict.FAILED
    assert found["permissions"].cure == f"chmod 600 {key}"
    key.chmod(0o600)
    assert seen(tmp_path, dicom={"port": 0, **tls})["permissions"].cure == f"chmod 750 {tmp_path}"


def test_what_root_left_in_a_folder_that_is_the_nodes_is_named_with_the_cure(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes files for others")
    data = tmp_path / "data"
    data.mkdir(mode=0o750)
    (data / "lost+found").mkdir()  # of the disk
    os.chown(data, 65534, 65534)
    found = seen(data)["permissions"]  # root looks before the node was ever started
    assert found.verdict is Verdict.ATTENTION
    assert found.cure == f"chown -R --reference={data} {data / 'instances'}"
    os.chown(data / "instances", 65534, 65534)
    assert seen(data)["permissions"].verdict is Verdict.OK


def test_a_certificate_that_expires_soon_needs_attention(tmp_path: Path) -> None:
    from node.adapters.certificates import read_certificates
    from node.app.checking.trust import _certificate

    certificate, _ = Authority(tmp_path / "ca").issue("node")
    found = read_certificates(certificate)
    assert not isinstance(found, str)
    clock = Clock(min(one.expires_at for one in found) - timedelta(days=3))
    assert _certificate(certificate, clock).verdict is Verdict.ATTENTION
    clock.advance(5 * 86400)
    assert _certificate(certificate, clock).verdict is Verdict.FAILED


def test_a_port_is_free_taken_by_a_listener_or_forbidden() -> None:
    import socket

    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert "takes connections" in _port("dicom.port", "127.0.0.1", port).sentence
    assert "is free" in _port("dicom.port", "127.0.0.1", port).sentence
    with pytest.raises(BadConfiguration, match="cannot be opened"):
        _port("dicom.port", "192.0.2.1", port)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadConfiguration, match="cannot be written"):
        _disk(tmp_path / "file" / "below")


def test_each_destination_is_looked_at_without_storing_anything(tmp_path: Path) -> None:
    from tests.edges.test_destination_dicom import Pacs

    pacs = Pacs()
    with pacs.on("1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.88.34"):
        one = {"name": "pacs", "kind": "dicom", "ae_title": "PACS", "host": "127.0.0.1", "port": pacs.port}
        dead = {**one, "name": "dead", "port": free_port()}
        folder = {"name": "out", "kind": "folder", "path": tmp_path / "out"}
        found = seen(tmp_path, destination=[one, dead, folder])
    assert "takes Segmentation: is not accepted" in found["destination pacs"].sentence
    assert found["destination dead"].cure.startswith("Look at port")
    assert found["destination out"].verdict is Verdict.OK
    assert pacs.came == []
    assert not (tmp_path / "out").exists()


def test_the_command_tells_lines_as_they_come_and_the_sum(tmp_path: Path) -> None:
    file = settings_file(tmp_path)
    environment = {"MRICORE_TRITON__URL": "grpc://127.0.0.1:9"}
    ran = mricore_node("check", "--config", file, environment=environment)
    assert ran.status == 1
    failed = [line for line in ran.out.splitlines() if line.startswith("FAILED")]
    in_time = [line for line in failed if "no answer in" not in line]  # the machine may be busy
    assert [line for line in in_time if "triton:" not in line] == []
    assert "FAILED    triton:" in ran.out
    assert f"{len(failed)} failed" in ran.out.splitlines()[-1]
    told = mricore_node("check", "--json", "--config", file, environment=environment).json
    assert {one["verdict"] for one in told if not one["ok"]} == {"failed"}
    unreachable = mricore_node(
        "check", "--json", "--config", file,
        environment={**environment, "MRICORE_DATABASE__URL": "postgresql+psycopg://x@127.0.0.1:9/x"},
    )  # fmt: skip
    lines = {one["part"]: one for one in unreachable.json}
    assert not lines["database"]["ok"]
    assert lines["disk of data"]["ok"]


def test_the_api_tells_the_same_line_by_line_and_starts_no_server(tmp_path: Path) -> None:
    with keeping(tmp_path, now, triton={"models": tmp_path / "none"}) as kept:
        answer = kept.api.post("/check")
    lines = {one["part"]: one for one in map(json.loads, answer.text.splitlines())}
    assert lines["models"]["verdict"] == "failed"
    assert lines["disk of data"]["verdict"] == "ok"
    assert set(lines["ledger"]) == {"part", "verdict", "sentence", "cure", "seconds"}
