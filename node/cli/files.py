"""DICOM files named on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from node.adapters.destinations.storescu import read_file_head
from node.core.part10 import Head
from node.errors import BadInstance, Usage


@dataclass(frozen=True)
class Found:
    """Files to send, and those that are not DICOM with the reason."""

    files: tuple[tuple[Path, Head], ...]
    refused: tuple[tuple[Path, str], ...]


def find(paths: Sequence[Path]) -> Found:
    """Every file below the paths. Raises Usage for a path that does not exist."""
    good: list[tuple[Path, Head]] = []
    bad: list[tuple[Path, str]] = []
    for path in paths:
        if not path.exists():
            raise Usage(f"{path}: no such file or folder")
        for file in sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]:
            if file.name == "DICOMDIR":
                continue
            try:
                good.append((file, read_file_head(file)))
            except BadInstance as reason:
                bad.append((file, str(reason)))
    return Found(tuple(good), tuple(bad))


def find_some(paths: Sequence[Path]) -> Found:
    """The same, of which there is at least one. Raises Usage."""
    found = find(paths)
    if not (found.files or found.refused):
        raise Usage(f"{', '.join(map(str, paths))}: holds no file to send")
    return found
