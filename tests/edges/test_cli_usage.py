"""Wrong usage and wrong settings: one line, exit status 2, and the cure."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from node.adapters.alone import alone
from tests.command_line import mricore_node, settings_file


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[dicom]\nprot = 104\n", ["node.toml: dicom.prot: unknown key", "node.example.toml"]),
        ("[dicom]\nport = 'eleven'\n", ["node.toml: dicom.port"]),
        ("[triton]\nurl = 'http://host:8000'\n", ["triton.url"]),
        ("[rules]\ndirectory = '/nowhere/at/all'\n", ["/nowhere/at/all"]),
        ("[triton]\nmodels = '/nowhere/at/all'\n", ["/nowhere/at/all"]),
    ],
    ids=["unknown key", "wrong type", "no Triton", "no rules", "no models"],
)
def test_serve_with_wrong_settings_names_the_key_and_ends_with_2(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "node.toml"
    path.write_text(text)
    ran = mricore_node("serve", "--config", path, environment={"MRICORE_NODE__DATA_DIR": str(tmp_path / "data")})
    assert ran.status == 2, ran
    said = ran.err.strip().splitlines()[-1]  # behind what the log warns of
    assert said.startswith("mricore-node: ")
    for word in words:
        assert word in said


def test_a_missing_settings_file_is_named(tmp_path: Path) -> None:
    ran = mricore_node("check", "--config", tmp_path / "none.toml")
    assert ran.status == 2
    assert "none.toml: no such file" in ran.err


@pytest.mark.parametrize("section", ["dicom", "http"])
def test_serve_on_a_port_that_is_taken_ends_with_2_and_the_cure(tmp_path: Path, section: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        key = f"MRICORE_{section.upper()}__PORT"
        ran = mricore_node("serve", "--config", settings_file(tmp_path), environment={key: port})
    assert ran.status == 2, ran
    assert f"{section}.port" in ran.err
    assert f":{port} is in use" in ran.err
    assert "Choose another port" in ran.err


def test_demo_says_that_its_outcome_cannot_be_written_before_it_begins(tmp_path: Path) -> None:
    ran = mricore_node("demo", "--once", "--data-dir", tmp_path / "data", "--json", tmp_path / "none" / "out.json")
    assert ran.status == 2, ran
    assert "--json" in ran.err
    assert not (tmp_path / "data").exists()


def test_demo_of_a_folder_without_files_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = mricore_node("demo", "--once", "--data-dir", tmp_path / "data", tmp_path / "empty")
    assert ran.status == 2, ran
    assert f"{tmp_path / 'empty'}: holds no file to send" in ran.err
    assert not (tmp_path / "data").exists()


def test_demo_does_not_remove_what_it_is_asked_to_send(tmp_path: Path) -> None:
    older = tmp_path / "var" / "demo"
    older.mkdir(parents=True)
    (older / ".mricore-demo").touch()
    (older / "one.dcm").write_bytes(b"an image")
    ran = mricore_node("demo", "--once", older / "one.dcm", folder=tmp_path)
    assert ran.status == 2, ran
    assert "name a --data-dir" in ran.err
    assert (older / "one.dcm").exists()


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    """A file where a folder is wanted, of a command that looks for no such thing."""
    (tmp_path / "file").write_text("")
    ran = mricore_node("jobs", "list", environment={"MRICORE_NODE__DATA_DIR": str(tmp_path / "file" / "data")})
    assert ran.status in (1, 2), ran
    assert len(ran.err.splitlines()) == 1, ran.err


def test_a_store_that_cannot_be_used_names_its_key_and_its_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "store"
    ran = mricore_node(
        "serve", "--config", settings_file(tmp_path), environment={"MRICORE_STORAGE__URL": f"file:{folder}"}
    )
    assert ran.status == 1, ran
    assert f"storage.url: {folder}: " in ran.err


@pytest.mark.parametrize("number", ["0", "-1", str(2**63), "x"])
def test_a_number_that_no_row_has_is_refused(tmp_path: Path, number: str) -> None:
    ran = mricore_node("jobs", "list", "--before", number, "--config", settings_file(tmp_path))
    assert ran.status == 2, ran
    assert "--before" in ran.err


def test_what_is_to_be_verified_and_is_no_dicom_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a result")
    ran = mricore_node("results", "verify", tmp_path / "notes.txt", "--source", tmp_path)
    assert ran.status == 2, ran
    assert f"{tmp_path / 'notes.txt'}: not a DICOM file" in ran.err


def test_a_second_process_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    """It would take itself for the first one."""
    config = settings_file(tmp_path)
    with alone(tmp_path / ".serving", "here", ""):
        ran = mricore_node("serve", "--config", config)
    assert ran.status == 2, ran
    said = f"mricore-node: node.data_dir: {tmp_path}: another process works with it ({os.getpid()}). Stop it first"
    assert ran.err.startswith(said), ran.err


def test_what_is_no_database_is_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "node.db").write_bytes(b"this was a database once" * 400)
    ran = mricore_node("jobs", "list", "--config", settings_file(tmp_path))
    assert ran.status == 1, ran
    assert "the database's file is damaged, or is none" in ran.err
    assert "Restore a backup" in ran.err


def test_a_rule_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "10-x.yaml").write_bytes(b"\xff\xfe")
    ran = mricore_node("rules", "check", tmp_path, "--config", settings_file(tmp_path))
    assert ran.status == 2, ran
    assert f"{tmp_path / '10-x.yaml'}: cannot be read as UTF-8 text" in ran.err


def test_an_unknown_command_ends_with_2() -> None:
    ran = mricore_node("frobnicate")
    assert ran.status == 2
    assert "frobnicate" in ran.err


def test_help_names_every_command() -> None:
    ran = mricore_node("--help")
    assert ran.status == 0
    for command in ("demo", "serve", "send", "check", "rules", "jobs", "trace", "models", "results"):
        assert f"\n  {command} " in ran.out
