"""`mricore-node destinations` and `sources`: add, edit, remove, list."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner, Result

from node.adapters.database import Database, claims
from node.app.clock import utc_now
from node.cli import entry
from tests.command_line import settings_file
from tests.waiting import wait_to_be_sent


def run(file: Path, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(entry, [*arguments, "--config", str(file)], input=typed)


def test_a_destination_is_added_changed_and_removed(tmp_path: Path) -> None:
    file = settings_file(tmp_path)
    said = run(file, "destinations", "add", "PACS2", "--kind", "dicom", "--set", "ae_title=PACS2", "--set", "host=h")
    assert said.output == "destination PACS2 is added\n"
    assert (
        "revision 2" in run(file, "destinations", "edit", "PACS2", "--set", "gsps=true", "--set", "port=11112").output
    )
    shown = json.loads(run(file, "destinations", "show", "PACS2", "--json").output)
    assert shown["keys"] == {"ae_title": "PACS2", "host": "h", "port": 11112, "gsps": True}
    assert "revision 3" in run(file, "destinations", "edit", "PACS2", "--set", "gsps=", "--set", "port=").output
    assert json.loads(run(file, "destinations", "show", "PACS2", "--json").output)["keys"] == {
        "ae_title": "PACS2", "host": "h"
    }  # fmt: skip
    late = run(file, "destinations", "edit", "PACS2", "--set", "port=1", "--revision", "1")
    assert "changed meanwhile" in str(late.exception)
    assert run(file, "destinations", "remove", "PACS2").output == "destination PACS2 is removed\n"
    assert "no destination PACS2" in str(run(file, "destinations", "remove", "PACS2").exception)
    assert "node.toml" in str(run(file, "destinations", "remove", "pacs").exception)


def test_a_secret_is_asked_for_and_not_shown(tmp_path: Path) -> None:
    file = settings_file(tmp_path)
    add = ("destinations", "add", "web", "--kind", "stow", "--set", "url=https://h/dicom-web", "--set", "user=u")
    said = run(file, *add, "--secret", "password", typed="open sesame\n")
    assert said.exit_code == 0, said.output
    texts = [run(file, "destinations", *more).output for more in (("list", "--json"), ("show", "web"), ("list",))]
    assert not any("sesame" in text for text in (said.output, *texts))
    assert "password" in json.loads(run(file, "destinations", "show", "web", "--json").output)["secrets"]


def test_sources_likewise(tmp_path: Path) -> None:
    file = settings_file(tmp_path)
    keys = (
        "--set",
        "ae_title=MR1",
        "--set",
        "hosts=10.0.0.7,10.0.0.8",
        "--set",
        "query.ae_title=P",
        "--set",
        "query.host=h",
    )
    assert run(file, "sources", "add", "mr", "--kind", "dicom", *keys).output == "source mr is added\n"
    (mr,) = json.loads(run(file, "sources", "list", "--json").output)
    assert mr["keys"]["hosts"] == ["10.0.0.7", "10.0.0.8"]
    assert mr["keys"]["query"] == {"ae_title": "P", "host": "h"}
    assert "below a folder" in str(run(file, "sources", "add", "f", "--kind", "folder", "--set", "path=/etc").exception)


def test_the_keys_of_each_kind_are_told(tmp_path: Path) -> None:
    file = settings_file(tmp_path)
    assert run(file, "destinations", "keys").output.split() == ["dicom", "stow", "orthanc", "folder"]
    told = {one["name"]: one for one in json.loads(run(file, "destinations", "keys", "stow", "--json").output)}
    assert told["url"]["required"]
    assert "Bearer" in told["token"]["help"]
    assert "KEY=VALUE" in str(run(file, "sources", "add", "x", "--kind", "dicom", "--set", "host").exception)


def test_rules_may_deliver_to_what_was_added(tmp_path: Path) -> None:
    file, folder = settings_file(tmp_path), tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text(
        "name: a\npriority: routine\nwhen: {Modality: MR}\non_unknown: hold\n"
        "then:\n  - infer: mri_core_head\n  - deliver: [PACS2]\n"
    )
    assert "there is no destination PACS2" in run(file, "rules", "check", str(folder)).output
    run(file, "destinations", "add", "PACS2", "--kind", "dicom", "--set", "ae_title=PACS2", "--set", "host=h")
    assert "there is no destination" not in run(file, "rules", "check", str(folder)).output
    published = run(file, "rules", "publish", str(folder), "--reason", "a new PACS")
    assert published.exit_code == 0, published.output
    refused = str(run(file, "destinations", "remove", "PACS2").exception)
    assert "the rules in use deliver to PACS2 (a)" in refused


def test_a_group_is_added_changed_and_removed(tmp_path: Path) -> None:
    file, folder = settings_file(tmp_path), tmp_path / "rules"
    groups = ("destinations", "groups")
    run(file, "destinations", "add", "PACS2", "--kind", "dicom", "--set", "ae_title=PACS2", "--set", "host=h")
    run(file, "destinations", "add", "PACS3", "--kind", "dicom", "--set", "ae_title=PACS3", "--set", "host=h")
    added = run(file, *groups, "add", "any", "--set", "members=PACS2,PACS3")
    assert added.output == "group any is added\n", added.exception
    assert "revision 2" in run(file, *groups, "edit", "any", "--set", "members=PACS3, PACS2").output
    (told,) = json.loads(run(file, *groups, "list", "--json").output)
    assert (told["name"], told["members"], told["queued"], told["fault"]) == ("any", ["PACS3", "PACS2"], 0, "")
    assert "PACS3, PACS2" in run(file, *groups, "list").output
    assert "required" in run(file, *groups, "keys", "failover").output
    (members,) = json.loads(run(file, *groups, "keys", "failover", "--json").output)
    assert members["choices"] == ["pacs", "out", "PACS2", "PACS3"]
    assert "at least 1 item" in str(run(file, *groups, "edit", "any", "--set", "members=-").exception)
    assert "there is no group PACS2" in str(run(file, *groups, "show", "PACS2").exception)
    folder.mkdir()
    (folder / "a.yaml").write_text(
        "name: a\npriority: routine\nwhen: {Modality: MR}\non_unknown: hold\n"
        "then:\n  - infer: mri_core_head\n  - deliver: [any]\n"
    )
    assert run(file, "rules", "publish", str(folder), "--reason", "two of them").exit_code == 0
    run(file, "destinations", "pause", "PACS2")
    shown = json.loads(run(file, *groups, "show", "any", "--json").output)
    assert [(one["name"], one["state"]) for one in shown["members"]] == [("PACS3", "idle"), ("PACS2", "paused")]
    assert (shown["name"], shown["kind"], shown["rules"], shown["queued"]) == ("any", "failover", ["a"], 0)
    lines = run(file, *groups, "show", "any").output.splitlines()
    assert [line.split()[:2] for line in lines if "PACS" in line] == [["1", "PACS3"], ["2", "PACS2"]]
    assert ["rules", "a"] in [line.split() for line in lines]
    assert "the rules in use deliver to any (a)" in str(run(file, *groups, "remove", "any").exception)
    (folder / "a.yaml").write_text((folder / "a.yaml").read_text().replace("[any]", "[PACS2]"))
    assert run(file, "rules", "publish", str(folder), "--reason", "one of them").exit_code == 0
    assert run(file, *groups, "remove", "any").output == "group any is removed\n"


def test_what_waits_for_a_group_of_a_resumed_destination_is_due_at_once(tmp_path: Path) -> None:
    file = settings_file(tmp_path, '[[destination_group]]\nname = "both"\nmembers = ["pacs", "out"]')
    assert run(file, "jobs", "pause", "--destination", "out").output == "destination out is paused\n"
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    now = utc_now()
    wait_to_be_sent(database, "s", "both", now + timedelta(days=1))
    assert claims.claim(database, now) is None
    said = run(file, "jobs", "resume", "--destination", "out")
    assert said.output == "destination out goes on\n", said.exception
    assert claims.claim(database, utc_now())
    database.close()
