"""Files in a folder tree that nobody wrote to for a while, a folder at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile

from node.errors import StoreUnavailable


def old_files(root: Path, folders: re.Pattern[str], before: datetime) -> Iterator[list[str]]:
    """Names, relative to the root, in each folder whose own relative name matches; empty old folders go.

    What cannot be read is left alone: somebody else may be removing it.
    """
    for folder, _, names in os.walk(root, topdown=False):
        relative = os.path.relpath(folder, root)
        if not folders.fullmatch(relative):
            continue
        old = [f"{relative}/{name}" for name in names if _modified(f"{folder}/{name}") < before.timestamp()]
        if old:
            yield old
        elif not names and _modified(folder) < before.timestamp():
            with suppress(OSError):
                os.rmdir(folder)  # noqa: PTH106


def clock_of(folder: Path) -> datetime:
    """What a new file in a folder says of the time: on a share, the clock of its server. Raises StoreUnavailable."""
    try:
        with TemporaryFile(dir=folder) as new:
            return datetime.fromtimestamp(os.fstat(new.fileno()).st_mtime, UTC)
    except OSError as refused:
        raise StoreUnavailable("no file can be made in the store") from refused


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime  # noqa: PTH116 # many of them
    except OSError:
        return float("inf")
