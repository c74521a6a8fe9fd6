"""Packages of the npm registry for tests, brought by the npm client into a folder of this machine and kept there.

Tests are skipped where node or npm is not installed, or the registry cannot be reached.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

_BRING_S = 300


def kept(name: str) -> Path:
    """A folder of this machine that outlives the tests."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "mricore-node-tests" / name


def modules(name: str, packages: Sequence[str]) -> Path:
    """The node_modules that hold these pinned packages (name@version)."""
    folder = kept(f"npm-{name}")
    found = folder / "node_modules"
    if found.is_dir():
        return found
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("needs the Debian packages nodejs and npm")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        options = ["--prefix", made, "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
        try:
            done = subprocess.run([npm, "install", *options, *packages], capture_output=True, timeout=_BRING_S)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not bring {packages} in time")
        if done.returncode:
            pytest.skip(f"npm did not bring {packages}: is its registry reached?")
        if not found.is_dir():
            shutil.copytree(made, folder, dirs_exist_ok=True)
    return found
