"""Kinds of argument that the commands share, and the modules that need the extra `models`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from node.errors import BadConfiguration

EXISTING_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
EXISTING_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


def with_torch(module: str) -> Any:
    """A module of node.mricore that needs torch; without torch, what to install."""
    try:
        return importlib.import_module(f"node.mricore.{module}")
    except ModuleNotFoundError as absent:
        if (absent.name or "").startswith("node"):
            raise
        what = f"needs {absent.name}, which is not installed"
        raise BadConfiguration("this command", what, "pip install 'mricore-node[models]'") from absent
