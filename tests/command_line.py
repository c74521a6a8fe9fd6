"""The command line as a user runs it: a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import PATIENCE_S, REPOSITORY


@dataclass(frozen=True)
class Ran:
    """What a command said and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def mricore_node(
    *arguments: object,
    environment: Mapping[str, str] | None = None,
    given: str | None = None,
    traceback: bool = False,
    folder: Path = REPOSITORY,
) -> Ran:
    """`mricore-node ARGUMENTS` in a folder, waited for; `given` on its standard input.

    `traceback`: --debug may show one."""
    done = subprocess.run(
        [sys.executable, "-m", "node", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert traceback or "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def settings_file(folder: Path, more: str = "") -> Path:
    """A node.toml for a node whose data lie in the folder: loopback, free ports, no watermark."""
    path = folder / "node.toml"
    path.write_text(
        f"""
[node]
data_dir = "{folder}"
stop_seconds = 5
[dicom]
host = "127.0.0.1"
port = 0
accept = "any"
[http]
port = 0
[storage]
low_watermark = 0
[completion]
quiet_seconds = 4
grid_seconds = 4
settle_seconds = 1
longest_seconds = 600
[[destination]]
name = "pacs"
kind = "folder"
path = "{folder / "out"}"
[[destination]]
name = "out"
kind = "folder"
path = "{folder / "out"}"
{more}
""",
        encoding="utf-8",
    )
    return path
