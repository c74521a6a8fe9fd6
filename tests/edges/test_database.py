"""The database: opened, migrated, and what of its faults the rest of the node hears."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text

from node.adapters.database import Database, claims
from node.adapters.database import jobs as rows
from node.adapters.database.tables import metadata, series
from node.adapters.database.trace import find, line, recent_jobs
from node.core.states import JobState
from node.errors import BadConfiguration, StoreUnavailable
from tests.bench import Bench
from tests.receiving import Store, encoded
from tests.synthetic import Grid, mr_series


def opened(folder: Path) -> Database:
    database = Database(f"sqlite:///{folder / 'node.db'}")
    database.migrate()
    return database


def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    database = opened(tmp_path)
    inspector = inspect(database.engine)
    for table in metadata.sorted_tables:
        columns = {column["name"]: column for column in inspector.get_columns(table.name)}
        assert set(columns) == {column.name for column in table.columns}, table.name
        for column in table.columns:
            assert columns[column.name]["nullable"] == column.nullable, f"{table.name}.{column.name}"
    database.close()


def test_a_database_that_root_makes_belongs_to_whom_its_folder_belongs(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes files for others")
    os.chown(tmp_path, 65534, 65534)
    database = opened(tmp_path)
    owners = {one.name: (one.stat().st_uid, one.stat().st_gid) for one in tmp_path.iterdir()}
    database.close()
    assert set(owners) == {"node.db", "node.db-wal", "node.db-shm"}
    assert set(owners.values()) == {(65534, 65534)}


def test_root_gives_no_file_away_that_a_link_in_the_place_of_the_database_names(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes files for others")
    folder, elsewhere = tmp_path / "data", tmp_path / "elsewhere.db"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    (folder / "node.db").symlink_to(elsewhere)
    opened(folder).close()
    assert elsewhere.stat().st_uid == 0


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    opened(tmp_path).close()
    opened(tmp_path).close()


def test_a_commit_survives_a_power_cut(tmp_path: Path) -> None:
    database = opened(tmp_path)
    with database.reading() as connection:
        modes = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")}
    assert modes == {"journal_mode": "wal", "synchronous": 2}
    database.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql+nothing://host/name", "oracle://host/name"])
def test_a_url_that_is_no_database_names_the_key_and_the_cure(url: str) -> None:
    with pytest.raises(BadConfiguration, match=r"database\.url.*sqlite:///path"):
        Database(url)


def test_a_database_that_cannot_be_opened_is_unavailable_not_broken(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'folder.db'}")
    with pytest.raises(StoreUnavailable), database.reading() as connection:
        connection.execute(text("SELECT 1"))
    database.close()


def test_a_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    database = opened(tmp_path)
    with pytest.raises(ZeroDivisionError):
        _insert_and_raise(database)
    assert _count(database) == 0
    database.close()


def _insert_and_raise(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO rule_set VALUES ('v', '2025-01-01', 'a', 'r', '{}')"))
        raise ZeroDivisionError


def test_readers_go_on_while_somebody_writes(tmp_path: Path) -> None:
    database = opened(tmp_path)
    read: list[int] = []
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO rule_set VALUES ('v', '2025-01-01', 'a', 'r', '{}')"))
        reader = threading.Thread(target=lambda: read.append(_count(database)), daemon=True)
        reader.start()
        reader.join(60)
        assert read == [0]
    assert _count(database) == 1
    database.close()


def _count(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM rule_set")).scalar_one())


def test_many_writers_wait_for_each_other(tmp_path: Path) -> None:
    database = opened(tmp_path)

    def write(number: int) -> None:
        for n in range(10):
            with database.transaction() as connection:
                version = {"v": f"{number}-{n}"}
                connection.execute(text("INSERT INTO rule_set VALUES (:v, '2025-01-01', 'a', 'r', '{}')"), version)

    writers = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert _count(database) == 80
    database.close()


@pytest.mark.parametrize("what", ["accession", "patient", "name", "series", "study", "instance"])
def test_a_series_is_found_by_what_people_know_of_it(store: Store, what: str) -> None:
    ds = mr_series(Grid(slices=1))[0]
    store.receive(encoded(ds))
    asked = {
        "accession": "A1",
        "patient": "SYN1",
        "name": "synth",
        "series": str(ds.SeriesInstanceUID),
        "study": str(ds.StudyInstanceUID),
        "instance": str(ds.SOPInstanceUID),
    }[what]
    (found,) = find(store.database, f" {asked} ")
    assert found.series_instance_uid == ds.SeriesInstanceUID
    assert found.received == {"stored": 1}


def test_what_was_never_received_is_not_found(store: Store) -> None:
    assert find(store.database, "NOBODY") == []
    assert line(store.database, "1.2.3") is None


def test_a_job_is_claimed_once(bench: Bench) -> None:
    bench.complete(mr_series(Grid(slices=10)))
    assert bench.claim().state is JobState.IN_PROGRESS
    assert claims.claim(bench.store.database, bench.clock()) is None


def test_a_step_that_the_table_of_states_does_not_know_is_not_made(bench: Bench) -> None:
    job = bench.complete(mr_series(Grid(slices=10)))
    database, now = bench.store.database, bench.clock()
    assert not rows.finish(database, job.id, JobState.COMPLETED, "", now)
    bench.claim()
    assert rows.finish(database, job.id, JobState.COMPLETED, "done", now)
    assert not rows.finish(database, job.id, JobState.FAILED, "", now)
    assert not rows.retry(database, job.id, "somebody", now)
    assert not rows.finish(database, 4711, JobState.CANCELED, "", now)
    (shown, uid) = recent_jobs(database, None, 10)[0]
    assert (shown.state, shown.reason, uid) == ("completed", "done", job.series_instance_uid)


def test_every_change_keeps_time_actor_and_reason(bench: Bench) -> None:
    job = bench.complete(mr_series(Grid(slices=10)))
    rows.finish(bench.store.database, job.id, JobState.CANCELED, "not wanted", bench.clock(), actor="somebody")
    shown = line(bench.store.database, job.series_instance_uid)
    assert shown is not None
    assert [event.what for event in shown.history] == ["series routed", "job 1 scheduled", "job 1 canceled"]
    assert shown.history[-1].why == "not wanted"


def test_times_come_back_in_utc_as_they_went_in(store: Store) -> None:
    store.receive(encoded(mr_series(Grid(slices=1))[0]))
    with store.database.reading() as connection:
        assert connection.scalar(select(series.c.first_at)) == store.clock()
