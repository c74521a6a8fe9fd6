"""The commands of "Changing rules safely" in docs/rules.md do what the page says, in that order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from node.cli.rules import rules
from tests.command_line import settings_file

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
SECTION = PAGE.split("\n## Changing rules safely\n")[1].split("\n## ")[0]
FIRST, SECOND = (
    [shlex.split(line, comments=True)[2:] for line in block.splitlines() if line.startswith("$ mricore-node rules")]
    for block in re.findall(r"```console\n(.*?)```", SECTION, re.S)
)
RULE = "name: mr\nwhen: {Modality: MR}\nthen: [{infer: mri_core_head}]\n"


class Shell:
    """Runs commands of the page in a folder of its own."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder = folder
        self.config = settings_file(folder, more)

    def run(self, *words: str) -> str:
        ran = CliRunner().invoke(rules, [*words, "--config", str(self.config)], catch_exceptions=False)
        assert ran.exit_code == 0, ran.output
        return ran.output

    def write(self, text: str) -> None:
        (self.folder / "draft").mkdir(exist_ok=True)
        (self.folder / "draft" / "10-mr.yaml").write_text(text, encoding="utf-8")


def words(command: list[str]) -> list[str]:
    return command[1:] if command[0] == "rules" else command


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_from_export_to_rollback(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.write(RULE)
    shell.run("publish", "draft", "--author", "anna", "--reason", "first")
    (tmp_path / "draft" / "10-mr.yaml").unlink()
    said: dict[str, str] = {}
    for command in map(words, FIRST):
        said[" ".join(command[:2])] = shell.run(*command)
        if command[0] == "export":
            assert (tmp_path / "draft" / "10-mr.yaml").read_text(encoding="utf-8") == RULE
            shell.write(RULE + "# and CT\n")
    assert "0 errors" in said["check draft"]
    assert "would change none of 0 series" in said["simulate draft"]
    assert "would have treated 0 of 0" in said["shadow --show"]
    assert "publication 2" in said["publish draft"]
    assert "CT heads are ignored" in said["history"]
    assert "+# and CT" in said["diff 1"]
    assert "publication 3" in said["rollback 1"]


def test_two_persons(tmp_path: Path) -> None:
    shell = Shell(tmp_path, "[rules]\napproval = true\n")
    shell.write(RULE)
    shell.run("publish", "draft", "--author", "anna", "--reason", "first")
    shell.write(RULE + "# more\n")
    assert "waits for another person" in shell.run("publish", "draft", "--author", "anna", "--reason", "more")
    waiting, approved = (shell.run(*words(command)) for command in SECOND)
    assert "anna" in waiting
    assert "publication 2" in approved
