"""Rules at the shell: from an edited folder to a version in use, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from node.cli.rules import rules
from node.errors import Usage
from tests.command_line import Ran, mricore_node, settings_file

RULE = "\r\n".join(
    ["# kept: ä 山", "name: mr   # a comment", "when: {Modality: MR}", "then:", "  - infer: mri_core_head", ""]
)
Run = Callable[..., Ran]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return settings_file(tmp_path, f'[rules]\ndirectory = "{tmp_path / "rules"}"\n')


@pytest.fixture
def run(config: Path) -> Run:
    """`mricore-node rules`, in this process: it takes seconds to start one."""

    def command(*arguments: object) -> Ran:
        ran = CliRunner().invoke(rules, [*map(str, arguments), "--config", str(config)])
        if isinstance(ran.exception, Usage):
            return Ran(2, ran.stdout, str(ran.exception))
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return Ran(ran.exit_code, ran.stdout, ran.stderr)

    return command


def folder(at: Path, text: str = RULE) -> Path:
    at.mkdir()
    (at / "10-mr.yaml").write_bytes(text.encode())
    return at


def test_a_rule_set_is_published_exported_edited_compared_and_rolled_back(tmp_path: Path, run: Run) -> None:
    first = run("publish", folder(tmp_path / "mine"), "--author", "anna", "--reason", "first")
    assert first.status == 0, first.err
    assert "publication 1" in first.out
    assert run("export", tmp_path / "out").status == 0
    assert (tmp_path / "out" / "10-mr.yaml").read_bytes() == RULE.encode()
    (tmp_path / "out" / "10-mr.yaml").write_text(RULE.replace("MR}", "[MR]}"))
    refused = run("publish", tmp_path / "out", "--reason", "typo")
    assert (refused.status, refused.out) == (2, "")
    assert "10-mr.yaml:3" in refused.err
    (tmp_path / "out" / "10-mr.yaml").write_bytes(RULE.replace("MR}", "{in: [MR]}}").encode())
    assert run("publish", tmp_path / "out", "--author", "bert", "--reason", "second", "--base", "1").status == 0
    assert "+when: {Modality: {in: [MR]}}" in run("diff", "1", "2").out
    late = run("publish", tmp_path / "mine", "--author", "anna", "--reason", "late", "--base", "1")
    assert late.status == 2
    assert "bert published 2" in late.err
    assert "publication 3" in run("rollback", "1", "--author", "anna", "--reason", "undo").out
    history = run("history", "--json").json
    assert [(one["number"], one["author"], one["origin"]) for one in history] == [
        (3, "anna", "rollback"),
        (2, "bert", "publish"),
        (1, "anna", "publish"),
    ]
    assert run("diff", "1", tmp_path / "mine").out == "no difference\n"
    assert run("export", tmp_path / "out", "2").status == 2
    assert run("export", tmp_path / "out", "2", "--replace").status == 0
    assert b"[MR]" in (tmp_path / "out" / "10-mr.yaml").read_bytes()


def test_a_version_that_is_not_there_is_named(config: Path) -> None:
    ran = mricore_node("rules", "show", "12", "--config", config)
    assert ran.status == 2
    assert "there is no publication 12" in ran.err


def test_a_draft_is_simulated_on_nothing_yet(tmp_path: Path, run: Run) -> None:
    assert run("publish", folder(tmp_path / "mine"), "--author", "anna", "--reason", "first").status == 0
    draft = folder(tmp_path / "draft", RULE.replace("MR}", "MR, SeriesDescription: t1}"))
    ran = run("simulate", draft, "--since", "7", "--json")
    assert (ran.json["series"], ran.json["changed"]) == (0, 0)
    assert "would change none of 0 series" in run("simulate", draft).out
    assert run("publish", draft, "--author", "anna", "--reason", "only T1").status == 0
    assert run("history", "--json").json[0]["simulation"]["sentence"] == ran.json["sentence"]


def test_a_draft_goes_into_the_shadow_and_out_again(tmp_path: Path, run: Run) -> None:
    assert "is in the shadow" in run("shadow", folder(tmp_path / "draft")).out
    assert "would have treated 0 of 0 series otherwise" in run("shadow", "--show").out
    assert run("shadow", "off").out == "nothing is in the shadow\n"
    assert run("shadow", "--show", "--json").json is None
    assert run("shadow").status == 2
