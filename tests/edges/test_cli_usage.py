"""Wrong usage and wrong settings: one line, exit status 2, and the cure."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

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


def test_an_unknown_command_ends_with_2() -> None:
    ran = mricore_node("frobnicate")
    assert ran.status == 2
    assert "frobnicate" in ran.err


def test_help_names_every_command() -> None:
    ran = mricore_node("--help")
    assert ran.status == 0
    for command in ("demo", "serve", "send", "check", "rules", "jobs", "trace", "models", "results"):
        assert f"\n  {command} " in ran.out
