"""Rule files of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from node.errors import BadConfiguration, Usage


def read_rule_files(folder: Path) -> dict[str, str]:
    """File name → text of every *.yaml. Raises BadConfiguration when there is none."""
    files: dict[str, str] = {}
    path = folder
    try:
        for path in sorted(folder.glob("*.yaml")):
            files[path.name] = path.read_bytes().decode("utf-8")  # line ends as they are: the bytes are the version
    except (OSError, UnicodeDecodeError) as unreadable:
        raise BadConfiguration(str(path), "cannot be read as UTF-8 text", "Save it as UTF-8") from unreadable
    if not files:
        raise BadConfiguration(str(folder), "no rule file (*.yaml)", "Set rules.directory, or copy dicom_rules/ there")
    return files


def write_rule_files(folder: Path, files: Mapping[str, str], *, replace: bool) -> None:
    """Write them as they are. Raises Usage when there are others and they are not to be replaced."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in folder.glob("*.yaml")}
        if there and not replace:
            raise Usage(f"{folder}: holds {len(there)} rule files already. Choose another folder, or add --replace")
        for name, text in files.items():
            (folder / name).write_bytes(text.encode("utf-8"))
        for name in there - set(files):
            (folder / name).unlink()
    except OSError as refused:
        raise Usage(f"{folder}: cannot be written ({refused.strerror})") from refused
