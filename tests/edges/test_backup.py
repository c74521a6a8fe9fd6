"""Backup and restore of a store in use, on both databases: what was acknowledged is in it, and comes back the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from node.adapters.database import Database
from node.adapters.database.balance import balance
from node.adapters.database.engine import revisions
from node.adapters.database.ledger import broken_chains
from node.adapters.database.series import missing_files
from node.adapters.database.tables import instance
from node.adapters.files import Files
from node.adapters.objects import kept_size
from node.core.status import SUCCESS
from node.errors import BadConfiguration, StoreUnavailable, Usage
from node.pipeline.backup import Made, Origin, Restored, Target, make, prune, restore
from node.pipeline.backup.manifest import digest_of
from tests.databases import own_database, server
from tests.receiving import Store, encoded, from_file, numbered, opened
from tests.synthetic import Grid, mr_series

__all__ = ["server"]

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def _quiet(_: str) -> None:
    """Nobody listens."""


@dataclass
class Place:
    """A folder, and databases of one kind."""

    folder: Path
    server: str  # URL of a PostgreSQL; "" for SQLite
    made: int = field(default=0)

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    def url(self, name: str, *, tables: bool = False) -> str:
        if not self.server:
            return f"sqlite:///{self.folder / name / 'node.db'}"
        self.made += 1
        return own_database(self.server, f"{name}_{self.made}", tables=tables)

    def node(self, name: str) -> Path:
        folder = self.folder / name
        (folder / "rules").mkdir(parents=True)
        (folder / "models" / "head").mkdir(parents=True)
        return folder

    def origin(self, store: Store) -> Origin:
        there = store.folder
        return Origin(
            store.database, store.files.root, there / "results", "", there / "rules", there / "models", {"a": 1}
        )

    @contextmanager
    def restored(self, name: str = "new", backup: str = "") -> Iterator[tuple[Database, Path, Restored]]:
        folder = self.folder / name
        database = Database(self.url(name))
        try:
            target = Target(database, folder / "instances", folder / "results", "", folder / "rules", folder / "models")
            yield database, folder, restore(target, self.backups, NOW, backup, _quiet)
        finally:
            database.close()


@pytest.fixture
def place(server: str, tmp_path: Path) -> Place:
    return Place(tmp_path, server)


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    folder = place.node("old")
    (folder / "rules" / "10-head.yaml").write_text("name: head\n")
    (folder / "models" / "head" / "card.yaml").write_text("name: head\n")
    with opened(folder, url=place.url("old", tables=True)) as there:
        yield there


def made(place: Place, store: Store, said: Callable[[str], None] = _quiet, *, link: bool = False) -> Made:
    return make(place.origin(store), place.backups, NOW, link=link, said=said)


def test_what_was_acknowledged_before_a_backup_under_load_is_in_it_byte_by_byte(place: Place, store: Store) -> None:
    acknowledged: dict[str, str] = {}
    over = threading.Event()

    def send(sender: int) -> None:
        number = 0
        while not over.is_set():
            one = numbered(sender, number)
            if store.receive(one).status == SUCCESS:
                acknowledged[one.sop_instance_uid] = one.sha256
            number += 1

    senders = [threading.Thread(target=send, args=(number,)) for number in range(3)]
    for one in senders:
        one.start()
    try:
        while len(acknowledged) < 60:
            over.wait(0.01)
        before = dict(acknowledged)
        first = made(place, store)
        later = dict(acknowledged)
        second = made(place, store)
    finally:
        over.set()
        for one in senders:
            one.join()
    assert first.missing == second.missing == first.gone == second.gone == []
    assert second.new == second.instances - first.instances  # each file once
    for name, wanted in ((first.name, before), (second.name, later)):
        with place.restored(f"new{name[-1]}".lower(), name) as (database, folder, done):
            _demand_whole(database, folder, wanted)
            assert done.missing == ()
            assert done.instances >= len(wanted)


def _demand_whole(database: Database, folder: Path, wanted: dict[str, str]) -> None:
    files = Files(folder / "instances", 0)
    assert broken_chains(database) == {}
    assert missing_files(database, partial(kept_size, files)) == []
    assert balance(database).residue == 0
    with database.reading() as connection:
        there = {row.sop_instance_uid: row.sha256 for row in connection.execute(select(instance)).all()}
    assert wanted.items() <= there.items()


def test_a_restored_node_goes_on_where_the_backup_ends(place: Place, store: Store) -> None:
    first = encoded(mr_series(Grid(slices=1))[0])
    store.receive(first)
    made(place, store)
    store.receive(numbered("lost"))  # after the backup
    with place.restored() as (database, folder, done):
        url = database.engine.url.render_as_string(hide_password=False)
        assert done.manifest.release
        assert (folder / "rules" / "10-head.yaml").read_text() == "name: head\n"
        assert (folder / "models" / "head" / "card.yaml").read_text() == "name: head\n"
    with opened(folder, url=url) as again:
        assert again.receive(first).status == SUCCESS  # the same bytes are kept once
        for file in sorted(store.files.root.rglob("*.dcm")):  # from the old disk
            content = file.read_bytes()
            assert again.receive(from_file(content)).status == SUCCESS
        assert len(again.instances()) == 2
        assert broken_chains(again.database) == {}
        assert [line.number for line in again.receipts()] == [1, 2, 3, 4]


def test_a_node_that_received_something_is_not_restored_into(place: Place, store: Store) -> None:
    store.receive(numbered(1))
    made(place, store)
    target = Target(
        store.database, store.files.root, store.folder / "results", "", store.folder / "rules", store.folder / "models"
    )
    with pytest.raises(Usage, match="has received instances"):
        restore(target, place.backups, NOW, "", _quiet)
    assert len(store.instances()) == 1


def test_files_without_a_database_are_not_restored_over_unless_a_restoring_was_cut_off(
    place: Place, store: Store
) -> None:
    store.receive(numbered(1))
    made(place, store)
    left = place.folder / "new" / "instances" / "20260105" / "12"
    left.mkdir(parents=True)
    (left / "somebody.dcm").write_bytes(b"else's")
    with pytest.raises(Usage, match="holds files"), place.restored():
        pass
    (place.folder / "new" / "instances" / ".restoring").touch()
    with place.restored() as (database, folder, _):
        assert balance(database).received == 1
        assert not (folder / "instances" / ".restoring").exists()


def test_rules_that_the_node_would_publish_instead_are_refused(place: Place, store: Store) -> None:
    made(place, store)
    (place.folder / "new" / "rules").mkdir(parents=True)
    (place.folder / "new" / "rules" / "10-other.yaml").write_text("name: other\n")
    with pytest.raises(Usage, match="holds other rules than the backup"), place.restored():
        pass


def test_what_retention_removes_while_a_backup_is_made_is_gone_not_missing(place: Place, store: Store) -> None:
    store.receive_all([numbered(1), numbered(2)])
    going = store.instances()[0]

    def remove(_: str) -> None:
        """Once the database was taken."""
        with store.database.transaction() as connection:
            mine = instance.c.sop_instance_uid == going.sop_instance_uid
            connection.execute(update(instance).where(mine).values(removed_at=NOW))
        store.files.remove(going.path)

    done = made(place, store, remove)
    assert (done.gone, done.missing) == ([f"instances/{going.path}"], [])
    with place.restored() as (database, folder, back):
        assert back.missing == ()
        _demand_whole(database, folder, {})
        with database.reading() as connection:
            removed = connection.execute(select(instance.c.path).where(instance.c.removed_at.is_not(None)))
            assert list(removed.scalars()) == [going.path]


def test_a_stored_file_that_is_lost_or_damaged_is_named_and_the_rest_is_backed_up(place: Place, store: Store) -> None:
    store.receive_all([numbered(1), numbered(2), numbered(3)])
    lost, damaged, _ = (row.path for row in store.instances())
    store.files.path(lost).unlink()
    content = bytearray(store.files.path(damaged).read_bytes())
    content[-1] ^= 1
    store.files.path(damaged).write_bytes(content)
    done = made(place, store)
    assert sorted(done.missing) == sorted([f"instances/{lost}", f"instances/{damaged}"])
    assert done.instances == 1


def test_links_hold_the_bytes_after_the_store_lost_them(place: Place, store: Store) -> None:
    one = numbered(1)
    store.receive(one)
    made(place, store, link=True)
    (row,) = store.instances()
    assert store.files.path(row.path).stat().st_nlink == 2
    store.files.remove(row.path)
    with place.restored() as (database, folder, _):
        _demand_whole(database, folder, {one.sop_instance_uid: one.sha256})
        assert (folder / "instances" / row.path).stat().st_nlink == 1  # the restored node shares nothing


def test_old_backups_go_and_files_that_only_they_named(place: Place, store: Store) -> None:
    store.receive_all([numbered(1), numbered(2)])
    first = made(place, store)
    going = store.instances()[0]
    with store.database.transaction() as connection:
        mine = instance.c.sop_instance_uid == going.sop_instance_uid
        connection.execute(update(instance).where(mine).values(removed_at=NOW))
    second = made(place, store)
    assert first.name != second.name
    assert prune(place.backups, 1) == (1, 1)
    assert not (place.backups / "instances" / going.path).exists()
    with place.restored() as (database, folder, done):
        assert done.manifest.name == second.name
        _demand_whole(database, folder, {})


def test_a_damaged_backup_is_not_restored(place: Place, store: Store) -> None:
    store.receive(numbered(1))
    done = made(place, store)
    backup = place.backups / "backups" / done.name
    file = next(one for one in (backup / "database").rglob("*") if one.is_file())
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(Usage, match="the backup is damaged"), place.restored():
        pass
    (backup / "manifest.json").write_text("{}")
    with pytest.raises(Usage, match="the backup is damaged"), place.restored():
        pass


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/../../b", "."])
def test_a_backup_that_leads_out_of_the_store_is_not_restored(place: Place, store: Store, path: str) -> None:
    store.receive(numbered(1))
    backup = place.backups / "backups" / made(place, store).name
    (backup / "files.tsv").write_text(f"instances\t1\t{'0' * 64}\t{path}\n")
    _forge(backup, digests={"files.tsv": digest_of(backup / "files.tsv")})
    with pytest.raises(Usage, match="outside the store"), place.restored():
        pass


def test_a_backup_of_a_later_release_is_refused_with_the_cure(place: Place, store: Store) -> None:
    backup = place.backups / "backups" / made(place, store).name
    _forge(backup, revision="9999")
    with pytest.raises(BadConfiguration, match=rf"9999.*up to {revisions()[-1]}"), place.restored():
        pass
    _forge(backup, form=2, release="9.0")
    with pytest.raises(Usage, match=r"newer release \(9\.0\)"), place.restored():
        pass


def _forge(backup: Path, **changes: object) -> None:
    said = json.loads((backup / "manifest.json").read_text())
    for key, value in changes.items():
        said[key] = {**said[key], **value} if isinstance(value, dict) else value
    (backup / "manifest.json").write_text(json.dumps(said))


def test_a_ledger_that_was_cut_short_is_noticed(place: Place, store: Store) -> None:
    store.receive_all([numbered(1), numbered(2)])
    backup = place.backups / "backups" / made(place, store).name
    _forge(backup, chains={"MRICORE": [3, "0" * 64]})
    with pytest.raises(Usage, match="does not end where the backup says"), place.restored():
        pass


def test_a_database_that_no_node_used_is_nothing_to_back_up(place: Place) -> None:
    database = Database(place.url("unused"))
    origin = Origin(database, place.folder, place.folder, "", place.folder, place.folder, {})
    with pytest.raises(Usage, match="no node has used this database"):
        make(origin, place.backups, NOW, link=False, said=_quiet)
    assert list((place.backups / "backups").iterdir()) == []
    database.close()


def test_a_backup_is_for_who_made_it_alone_wherever_it_lies(place: Place, store: Store) -> None:
    store.receive(numbered(1))
    place.backups.mkdir(mode=0o755, parents=True, exist_ok=True)
    made(place, store)
    folders = [one for one in place.backups.iterdir() if one.is_dir()]
    assert {one.name for one in folders} >= {"backups", "instances"}
    assert [one.name for one in folders if one.stat().st_mode & 0o077] == []


def test_a_folder_that_cannot_be_written_is_said(place: Place, store: Store) -> None:
    place.backups.write_text("a file")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        made(place, store)


def test_a_backup_of_one_kind_of_database_is_refused_by_the_other(place: Place, store: Store, tmp_path: Path) -> None:
    if not place.server:
        pytest.skip("needs both kinds: the PostgreSQL one does it")
    made(place, store)
    database = Database(f"sqlite:///{tmp_path / 'other.db'}")
    target = Target(database, tmp_path / "i", tmp_path / "r", "", tmp_path / "u", tmp_path / "m")
    with pytest.raises(Usage, match="is of a PostgreSQL"):
        restore(target, place.backups, NOW, "", _quiet)
    database.close()


def test_tables_of_somebody_else_survive_a_restoring(place: Place, store: Store) -> None:
    """A database that a hospital shares between applications."""
    make(place.origin(store), place.backups, NOW, link=False, said=_quiet)
    url = place.url("shared")
    Path(place.folder / "shared").mkdir(exist_ok=True)
    shared = Database(url)
    with shared.transaction() as connection:
        connection.execute(text("CREATE TABLE appointments (number INTEGER)"))
        connection.execute(text("INSERT INTO appointments VALUES (7)"))
    folder = place.node("target")
    target = Target(shared, folder / "instances", folder / "results", "", folder / "rules", folder / "models")
    with pytest.raises(Usage, match="holds tables that are no node's: appointments"):
        restore(target, place.backups, NOW, said=_quiet)
    with shared.reading() as connection:
        assert connection.scalar(text("SELECT number FROM appointments")) == 7
    shared.close()
