"""`mricore-node user` and `token`: accounts at the shell, and what the audit trail says of it."""

from __future__ import annotations

import json
from pathlib import Path

from node.adapters.database import Database, audit
from node.config import load
from tests.command_line import mricore_node, settings_file

PASSWORD = "mauve otters argue"


def test_a_user_and_a_token_from_first_to_last(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    code = mricore_node("user", "first-code", "--config", config)
    assert (code.status, len(code.out.strip())) == (0, 39)
    weak = mricore_node(
        "user", "add", "anna", "--role", "admin", "--password-stdin", "--config", config, given="short\n"
    )
    assert (weak.status, "12 characters" in weak.err) == (2, True)
    more = ("--role", "admin", "--password-stdin", "--config", config)
    assert mricore_node("user", "add", "anna", *more, given=f"{PASSWORD}\n").status == 0
    assert mricore_node("user", "first-code", "--config", config).status == 2
    assert mricore_node("user", "remove", "anna", "--config", config).status == 2  # the last administrator
    wanted = ("--user", "anna", "--name", "ci", "--scope", "read", "--json", "--config", config)
    made = json.loads(mricore_node("token", "create", *wanted).out)
    assert made["secret"].startswith("mricore_")
    listed = mricore_node("token", "list", "--json", "--config", config)
    assert made["secret"] not in listed.out
    assert mricore_node("token", "revoke", "1", "--config", config).status == 0
    assert mricore_node("token", "revoke", "1", "--config", config).status == 2
    (user,) = json.loads(mricore_node("user", "list", "--json", "--config", config).out)
    assert (user["name"], user["role"]) == ("anna", "admin")
    assert PASSWORD not in json.dumps(user)
    database = Database(load(config, {}).database_url)
    lines = [one.line for one in audit.after(database, 0, 100)]
    database.close()
    assert [one.what for one in lines] == ["user.add", "token.create", "token.revoke"]
    assert all(one.actor.startswith("command line") for one in lines)
