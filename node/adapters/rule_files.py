"""Rule files of a folder."""

from __future__ import annotations

from pathlib import Path

from node.errors import BadConfiguration


def read_rule_files(folder: Path) -> dict[str, str]:
    """File name → text of every *.yaml. Raises BadConfiguration when there is none."""
    files: dict[str, str] = {}
    try:
        for path in sorted(folder.glob("*.yaml")):
            files[path.name] = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as unreadable:
        raise BadConfiguration(str(folder), "a rule file cannot be read as UTF-8 text") from unreadable
    if not files:
        raise BadConfiguration(str(folder), "no rule file (*.yaml)", "Set rules.directory, or copy dicom_rules/ there")
    return files
