"""The words of notices: one text file for each kind of message, its first line the subject. A site may replace any.

`$name` stands for what is filled in (string.Template). What may be is the list below, and nothing in it is of a patient
but accession numbers, where the settings ask for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

from node.core.notices import What
from node.errors import BadConfiguration

_SHIPPED = Path(__file__).parent / "templates"
TEST = "test"
KINDS = (*(str(one) for one in What), TEST)
KEYS = (
    "node", "id", "cause", "kind", "name", "severity", "what", "number", "new", "since", "until", "link", "accessions",
)  # fmt: skip
_LONGEST = 1 << 16


class Texts:
    """All of them, read once."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` may hold some of the files: they take the place of the shipped ones. Raises BadConfiguration."""
        self._texts = {kind: _read(kind, folder) for kind in KINDS}

    def fill(self, kind: str, values: Mapping[str, object]) -> tuple[str, str]:
        """Subject and body."""
        subject, _, body = self._texts[kind].substitute(dict.fromkeys(KEYS, "") | dict(values)).partition("\n")
        lines = [line.rstrip() for line in body.strip("\n").splitlines()]
        return subject.strip(), "\n".join(lines).strip("\n") + "\n"


def _read(kind: str, folder: Path | None) -> Template:
    own = folder / f"{kind}.txt" if folder else None
    path = own if own is not None and own.is_file() else _SHIPPED / f"{kind}.txt"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise BadConfiguration(str(path), "cannot be read as text") from wrong
    template = Template(text)
    if len(text) > _LONGEST or not template.is_valid():
        raise BadConfiguration(str(path), "is no template", "Write $$ for a dollar sign")
    if unknown := sorted(set(template.get_identifiers()) - set(KEYS)):
        raise BadConfiguration(str(path), f"fills in ${unknown[0]}, which there is not", f"Use {', '.join(KEYS)}")
    return template
