"""What a backup says of itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from node.adapters.database.snapshots import Named
from node.errors import Usage

MANIFEST, FILES, SETTINGS, RULES, DATABASE = "manifest.json", "files.tsv", "settings.json", "rules", "database"
FORM = 1  # of what is described here
_NAME = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """One backup."""

    name: str
    made_at: str  # ISO 8601, UTC: what was acknowledged before is in it
    release: str  # that made it
    revision: str  # of the tables
    engine: str  # sqlite, postgresql
    chains: dict[str, list[int | str]]  # chain of the ledger → its last line's number and digest
    instances: int
    results: int
    bucket: str  # where the instances stay; "": they are in the backup
    gone: list[str] = field(default_factory=list)  # instances and results that retention removed while it was made
    missing: list[str] = field(default_factory=list)  # named by the database, and not there
    models: dict[str, str] = field(default_factory=dict)  # path below triton.models → sha256
    digests: dict[str, str] = field(default_factory=dict)  # file of this backup → sha256
    form: int = FORM

    def text(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"


def backups(folder: Path) -> list[str]:
    """Names of the whole ones, the oldest first."""
    found = folder / "backups"
    if not found.is_dir():
        return []
    return sorted(one.name for one in found.iterdir() if _NAME.fullmatch(one.name) and (one / MANIFEST).is_file())


def read_manifest(folder: Path, name: str = "") -> tuple[Path, Manifest]:
    """A backup, the newest by default, once each of its files was found to be what it was.

    Raises Usage when there is none, when it is damaged, or of a later form.
    """
    there = backups(folder)
    if not there or (name and name not in there):
        raise Usage(f"{folder}: there is no backup{f' {name}' if name else ''} here")
    place = folder / "backups" / (name or there[-1])
    try:
        said = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        if said.get("form", 0) > FORM:
            raise Usage(f"{place}: was made by a newer release ({said.get('release')}): restore with that one")
        manifest = Manifest(**said)
    except (OSError, ValueError, TypeError, AttributeError) as broken:
        raise Usage(f"{place / MANIFEST}: cannot be read: the backup is damaged, take another") from broken
    for file, digest in manifest.digests.items():
        if not (place / file).is_file() or digest_of(place / file) != digest:
            raise Usage(f"{place / file}: is not what was written: the backup is damaged, take another")
    return place, manifest


def write_named(file: Path, named: Iterator[Named]) -> None:
    """One line for each file: store, size, sha256, path."""
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(f"{one.store}\t{one.size}\t{one.sha256}\t{one.path}\n" for one in named)


def read_named(file: Path) -> Iterator[Named]:
    """Raises Usage for a line that no backup writes: it would lead out of the store."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            store, size, sha256, path = line.rstrip("\n").split("\t")
            if not _SHA256.fullmatch(sha256) or not is_within(path) or store not in ("instances", "results"):
                raise Usage(f"{file}: names a file outside the store")
            yield Named(store, path, int(size), sha256)


def is_within(path: str) -> bool:
    """Whether a relative path stays below where it starts."""
    parts = Path(path).parts
    return bool(parts) and not Path(path).is_absolute() and ".." not in parts


def digest_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
