"""The OHIF viewer for tests, installed once a machine: brought by the npm client, or skipped where it cannot be."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from node.adapters.viewer import VERSION, fetch, install
from node.errors import Usage
from node.web.viewer import BELOW
from tests.npm import kept


def installed() -> Path:
    """The folder that the viewer is served from."""
    target = kept(f"ohif-{VERSION}")
    if not (target / "index.html").is_file():
        with tempfile.TemporaryDirectory() as folder:
            try:
                install(fetch(Path(folder)), target, BELOW)
            except Usage as missing:
                pytest.skip(str(missing))
    return target
