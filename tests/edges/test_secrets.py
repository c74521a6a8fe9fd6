"""Secrets are a type that does not print, and nothing prints them; the threat model names evidence that there is."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from node.cli.backup import told
from node.config import Settings, load
from tests.command_line import mricore_node
from tests.processes import REPOSITORY

_NAMES = re.compile(r"password|secret|token(?!s)", re.IGNORECASE)
SENTINEL = "s3cr3t-sentinel-4711"


def fields(model: type[BaseModel], seen: tuple[type[BaseModel], ...] = ()) -> Iterator[tuple[str, object]]:
    """(section.key, type) of every key of the settings."""
    for name, one in model.model_fields.items():
        inner = [one.annotation, *typing.get_args(one.annotation)]
        models = [each for each in inner if isinstance(each, type) and issubclass(each, BaseModel) and each not in seen]
        for each in models:
            for key, kind in fields(each, (*seen, model)):
                yield f"{name}.{key}", kind
        if not models:
            yield name, one.annotation


def test_every_key_that_is_called_a_secret_is_of_the_type_that_does_not_print() -> None:
    found = {key: kind for key, kind in fields(Settings) if _NAMES.search(key.rpartition(".")[2])}
    assert {"triton.token", "database.password", "destination.password", "auth.oidc_client_secret"} <= set(found)
    for key, kind in found.items():
        assert kind is SecretStr, key


def settings(folder: Path) -> Path:
    path = folder / "node.toml"
    path.write_text(
        f"""
[node]
data_dir = "{folder}/data"
[database]
url = "postgresql+psycopg://mricore@127.0.0.1:1/node"
password = "{SENTINEL}"
[triton]
url = "grpc://127.0.0.1:1"
token = "{SENTINEL}"
[auth]
oidc_client_secret = "{SENTINEL}"
[[destination]]
name = "archive"
kind = "stow"
url = "http://127.0.0.1:1/dicom-web"
token = "{SENTINEL}"
[[destination]]
name = "orthanc"
kind = "orthanc"
url = "http://127.0.0.1:1"
user = "mricore"
password = "{SENTINEL}"
"""
    )
    return path


def test_no_form_of_the_settings_says_a_secret(tmp_path: Path) -> None:
    read = load(settings(tmp_path), {})
    for shown in (repr(read), str(read), read.model_dump_json(), str(read.model_dump()), str(told(read))):
        assert SENTINEL not in shown
    assert SENTINEL in read.database_url  # where it is used
    in_url = load(None, {"MRICORE_DATABASE__URL": f"postgresql+psycopg://mricore:{SENTINEL}@db/node"})
    assert SENTINEL not in repr(in_url)
    assert SENTINEL not in str(told(in_url))


@pytest.mark.parametrize(
    "command",
    [
        ["--debug", "check", "--json"],
        ["--debug", "backup", "BACKUP"],
        ["--verbose", "serve"],
        ["destinations", "test", "archive"],
    ],
    ids=" ".join,
)
def test_no_command_says_a_secret_whatever_goes_wrong(command: list[str], tmp_path: Path) -> None:
    given = [str(tmp_path / "backup") if part == "BACKUP" else part for part in command]
    done = mricore_node(*given, "--config", settings(tmp_path), traceback=True)
    assert done.status != 0
    assert SENTINEL not in done.out + done.err


def test_a_secret_goes_into_no_text() -> None:
    """Where one is taken out of its type, it is handed on: never written into a sentence, a log line or an output."""
    for file in sorted((REPOSITORY / "node").rglob("*.py")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if "get_secret_value()" in line:
                assert not re.search(r"""\bf["']|_log\.|echo\(|print\(|Error\(|Configuration\(""", line), (
                    f"{file}:{number}"
                )


def test_the_evidence_that_the_threat_model_names_is_there() -> None:
    text = (REPOSITORY / "docs" / "security.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 30
    for file, test in named:
        source = (REPOSITORY / file).read_text()
        assert not test or f"def {test}(" in source, f"{file}::{test}"
    rows = [line for line in text.splitlines() if line.startswith("| ") and line.count("|") == 5]
    assert all("`tests/" in line for line in rows if not line.startswith("| | threat"))
