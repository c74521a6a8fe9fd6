"""Reading a backup into a node that has never received anything."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import update

from node.adapters.carrying import carry, is_whole, sync
from node.adapters.database import Database
from node.adapters.database.engine import demand_known
from node.adapters.database.ledger import broken_chains
from node.adapters.database.snapshots import Named, is_unused, last_lines, load, of_others
from node.adapters.database.tables import instance, result
from node.adapters.files import write_whole
from node.adapters.rule_files import read_rule_files, write_rule_files
from node.errors import BadInstance, Usage
from node.pipeline.backup.make import pooled
from node.pipeline.backup.manifest import DATABASE, FILES, RULES, Manifest, is_within, read_manifest, read_named

_AT_ONCE = 500  # paths in one statement
_BEGUN = ".restoring"  # in the folder of instances: a restoring that was cut off may begin again


@dataclass(frozen=True)
class Target:
    """An empty node."""

    database: Database
    instances: Path
    results: Path
    bucket: str
    rules: Path
    models: Path


@dataclass(frozen=True)
class Restored:
    """What came back."""

    manifest: Manifest
    instances: int
    results: int
    missing: tuple[str, ...]  # of what the backup should hold
    kept_models: tuple[str, ...]  # files below triton.models that were there, and are others than the backup's


def restore(
    target: Target, folder: Path, now: datetime, name: str = "", said: Callable[[str], None] = print
) -> Restored:
    """Read a backup, the newest by default. The database comes last: a node whose restoring was cut off has none.

    Raises Usage when this node is not empty, or the backup is damaged, of another kind of database or a later release.
    """
    place, manifest = read_manifest(folder, name)
    demand_known(manifest.revision)
    _demand_empty(target, manifest)
    _demand_room_for_rules(target.rules, place / RULES)
    missing: list[str] = list(manifest.missing)
    instances = results = 0
    if not manifest.bucket:
        target.instances.mkdir(parents=True, exist_ok=True)
        write_whole(target.instances / _BEGUN, b"")
        instances, results = _carry_all(target, folder, place, manifest, missing)
        said(f"{instances} instances and {results} results")
    kept_models = _carry_models(target.models, folder, manifest)
    _restore_rules(target.rules, place / RULES)
    sync()
    load(target.database, place / DATABASE, manifest.revision)
    target.database.migrate()
    if manifest.gone:
        _note_gone(target.database, manifest.gone, now)
    _demand_chains(target.database, manifest)
    (target.instances / _BEGUN).unlink(missing_ok=True)
    said("the database, its chains whole, brought to this release's form")
    return Restored(manifest, instances, results, tuple(missing), kept_models)


def _demand_empty(target: Target, manifest: Manifest) -> None:
    if manifest.bucket != target.bucket:
        raise Usage(
            f'storage.url: the backup is of a node that kept its instances in "{manifest.bucket or "a folder"}"'
        )
    if others := of_others(target.database):
        cure = "Give the node a database of its own: restoring begins by emptying it"
        raise Usage(f"database.url: holds tables that are no node's: {', '.join(others[:5])}. {cure}")
    if not is_unused(target.database):
        raise Usage(
            "database.url: this node has received instances. Restore into an empty one, with a database of its own"
        )
    begun = (target.instances / _BEGUN).exists()
    if not manifest.bucket and not begun and any(one.is_file() for one in target.instances.rglob("*")):
        raise Usage(f"{target.instances}: holds files. Restore into an empty node: set node.data_dir to another folder")


def _demand_room_for_rules(rules: Path, backup: Path) -> None:
    """Other rules than those in use would be published at the next start."""
    saved = {file.name: file.read_bytes() for file in backup.glob("*.yaml")}
    there = {file.name: file.read_bytes() for file in rules.glob("*.yaml")} if rules.is_dir() else {}
    if saved and there and there != saved:
        cure = "Set rules.directory to a new folder, or move these away"
        raise Usage(f"{rules}: holds other rules than the backup, which the node would publish when it starts. {cure}")


def _carry_all(target: Target, folder: Path, place: Path, manifest: Manifest, missing: list[str]) -> tuple[int, int]:
    absent = {*manifest.gone, *manifest.missing}

    def one_file(one: Named) -> str | None:
        key = f"{one.store}/{one.path}"
        if key in absent:
            return ""
        is_instance = one.store == "instances"
        into = (target.instances if is_instance else target.results) / one.path
        try:
            is_new = carry(pooled(folder, one), into, one.sha256, is_instance=is_instance, link=False)
        except (FileNotFoundError, BadInstance):
            return key
        return None if is_new or is_whole(into, one.sha256, is_instance=is_instance) else key

    counts = {"instances": 0, "results": 0}
    with ThreadPoolExecutor(4) as carriers:
        named = list(read_named(place / FILES))
        for one, lost in zip(named, carriers.map(one_file, named), strict=True):
            counts[one.store] += lost is None
            if lost:
                missing.append(lost)
    return counts["instances"], counts["results"]


def _carry_models(models: Path, folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """What is there stays: it may be a later release's."""
    others = []
    for path, digest in manifest.models.items():
        if not is_within(path):
            raise Usage(f"{folder}: names a file outside triton.models")
        into = models / path
        if not into.exists():
            carry(folder / "models" / digest, into, digest, is_instance=False, link=False)
        elif not is_whole(into, digest, is_instance=False):
            others.append(path)
    return tuple(others)


def _restore_rules(rules: Path, backup: Path) -> None:
    has_rules = rules.is_dir() and any(rules.glob("*.yaml"))
    if not has_rules and any(backup.glob("*.yaml")):
        write_rule_files(rules, read_rule_files(backup), replace=False)


def _note_gone(database: Database, gone: list[str], now: datetime) -> None:
    """What retention removed between the database's moment and the copying is not there, and nobody's loss."""
    for store, table in (("instances/", instance), ("results/", result)):
        paths = [one.removeprefix(store) for one in gone if one.startswith(store)]
        with database.transaction() as connection:
            for start in range(0, len(paths), _AT_ONCE):
                some = table.c.path.in_(paths[start : start + _AT_ONCE])
                connection.execute(update(table).where(some, table.c.removed_at.is_(None)).values(removed_at=now))


def _demand_chains(database: Database, manifest: Manifest) -> None:
    if broken := broken_chains(database):
        line = next(iter(broken.values()))[0]
        raise Usage(f"line {line} of the restored ledger does not follow from the one before: use another backup")
    if {chain: list(last) for chain, last in last_lines(database).items()} != manifest.chains:
        raise Usage("the restored ledger does not end where the backup says: use another backup")
