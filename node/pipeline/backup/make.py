"""Making a backup of a node that may be running."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any

from node import __version__
from node.adapters.carrying import carry, sync
from node.adapters.database import Database, retention
from node.adapters.database.snapshots import Named, taken
from node.errors import BadInstance, StoreUnavailable, Usage
from node.pipeline.backup.manifest import (
    DATABASE,
    FILES,
    MANIFEST,
    RULES,
    SETTINGS,
    Manifest,
    backups,
    digest_of,
    read_named,
    write_named,
)

_FOLDERS = ("backups", "instances", "results", "models")
_BUILT_HERE = frozenset({"plan.json", "timing.cache"})  # with the plan, of one GPU and one server


@dataclass(frozen=True)
class Origin:
    """A node to be backed up."""

    database: Database
    instances: Path
    results: Path
    bucket: str  # "": instances and results lie in these folders
    rules: Path
    models: Path
    settings: Any  # JSON, without secrets


@dataclass
class Made:
    """What was done."""

    name: str
    instances: int = 0
    results: int = 0
    new: int = 0  # files that no earlier backup here had
    gone: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def make(origin: Origin, folder: Path, now: datetime, *, link: bool, said: Callable[[str], None] = print) -> Made:
    """Make one more backup in a folder. It appears whole or not at all.

    `link`: files on the same file system are not copied but linked, which costs no room and survives a deletion, not
    the loss of the disk. Raises Usage when another one is being made there, StorageFull and StoreUnavailable.
    """
    with _alone(folder):
        name = _name(folder, now)
        unnamed = folder / "backups" / f".{name}"
        shutil.rmtree(unnamed, ignore_errors=True)
        (unnamed / DATABASE).mkdir(parents=True)
        try:
            made = _make(origin, folder, unnamed, name, now, link, said)
            sync()  # what has a name is whole, also after a power cut
            unnamed.replace(folder / "backups" / name)
        except BaseException:
            shutil.rmtree(unnamed, ignore_errors=True)
            raise
        sync()
    return made


def _make(
    origin: Origin, folder: Path, unnamed: Path, name: str, now: datetime, link: bool, said: Callable[[str], None]
) -> Made:
    made = Made(name)
    with taken(origin.database, unnamed / DATABASE) as snapshot:
        revision, chains = snapshot.revision, snapshot.chains()
        write_named(unnamed / FILES, snapshot.named())
    said(f"the database, with {sum(number for number, _ in chains.values())} receipts")
    if not origin.bucket:
        _carry_all(origin, folder, unnamed / FILES, made, link)
        said(f"{made.instances} instances and {made.results} results, {made.new} of them new here")
    models = _carry_models(origin.models, folder)
    _copy_rules(origin.rules, unnamed / RULES)
    (unnamed / SETTINGS).write_text(json.dumps(origin.settings, indent=1, ensure_ascii=False), encoding="utf-8")
    digests = {str(one.relative_to(unnamed)): digest_of(one) for one in unnamed.rglob("*") if one.is_file()}
    manifest = Manifest(
        name=name,
        made_at=now.isoformat(timespec="seconds"),
        release=__version__,
        revision=revision,
        engine=origin.database.engine.dialect.name,
        chains={chain: list(last) for chain, last in chains.items()},
        instances=made.instances,
        results=made.results,
        bucket=origin.bucket,
        gone=made.gone,
        missing=made.missing,
        models=models,
        digests=digests,
    )
    (unnamed / MANIFEST).write_text(manifest.text(), encoding="utf-8")
    return made


def _carry_all(origin: Origin, folder: Path, files: Path, made: Made, link: bool) -> None:
    for one in read_named(files):
        is_instance = one.store == "instances"
        source = (origin.instances if is_instance else origin.results) / one.path
        try:
            made.new += carry(source, pooled(folder, one), one.sha256, is_instance=is_instance, link=link)
        except (FileNotFoundError, BadInstance) as absent:
            is_lost = isinstance(absent, BadInstance) or _is_counted_on(origin.database, one)
            (made.missing if is_lost else made.gone).append(f"{one.store}/{one.path}")
            continue
        made.instances += is_instance
        made.results += not is_instance


def pooled(folder: Path, one: Named) -> Path:
    """Where a file lies in a folder of backups."""
    return folder / "instances" / one.path if one.store == "instances" else folder / "results" / one.sha256


def _is_counted_on(database: Database, one: Named) -> bool:
    """Whether a file that is not there should be: retention may have removed it since the database was taken."""
    named = retention.named if one.store == "instances" else retention.named_results
    return one.path in named(database, [one.path])


def _carry_models(models: Path, folder: Path) -> dict[str, str]:
    """Path → sha256. Not the plans: they are built where they are served."""
    found: dict[str, str] = {}
    for file in sorted(models.rglob("*")):
        is_ours = file.is_file() and file.suffix != ".plan" and file.name not in _BUILT_HERE
        if is_ours and "__pycache__" not in file.parts:
            digest = digest_of(file)
            carry(file, folder / "models" / digest, digest, is_instance=False, link=False)
            found[str(file.relative_to(models))] = digest
    return found


def _copy_rules(rules: Path, target: Path) -> None:
    target.mkdir()
    for file in sorted(rules.glob("*.yaml")):
        shutil.copyfile(file, target / file.name)


def prune(folder: Path, keep: int) -> tuple[int, int]:
    """Remove all backups but the newest `keep`, then files that none of those names; how many of each."""
    with _alone(folder):
        old = backups(folder)[:-keep]
        for name in old:
            shutil.rmtree(folder / "backups" / name)
        wanted = set[Path]()
        for name in backups(folder) if old else ():
            place = folder / "backups" / name
            wanted |= {pooled(folder, one) for one in read_named(place / FILES)}
            models = json.loads((place / MANIFEST).read_text(encoding="utf-8"))["models"]
            wanted |= {folder / "models" / digest for digest in models.values()}
        dropped = 0
        for pool in ("instances", "results", "models") if old else ():
            for file in [one for one in (folder / pool).rglob("*") if one.is_file() and one not in wanted]:
                file.unlink()
                dropped += 1
    return len(old), dropped


def _name(folder: Path, now: datetime) -> str:
    """By the moment, and a number where two fall into one second."""
    name, number, there = f"{now:%Y%m%dT%H%M%SZ}", 1, set(backups(folder))
    while (f"{name}-{number}" if number > 1 else name) in there:
        number += 1
    return f"{name}-{number}" if number > 1 else name


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FOLDERS:  # patients' data and digests of passwords, also in a folder that is open to others
            (folder / name).mkdir(mode=0o700, exist_ok=True)
        with (folder / ".lock").open("a") as lock:
            try:
                flock(lock, LOCK_EX | LOCK_NB)
            except BlockingIOError as taken_by:
                raise Usage(f"{folder}: another backup is being made here") from taken_by
            yield
    except OSError as refused:
        raise StoreUnavailable(f"{folder}: cannot be written ({refused.strerror})") from refused
