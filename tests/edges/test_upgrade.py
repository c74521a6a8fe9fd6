"""Data that every earlier release left behind, brought to this release's form: nothing of it is lost or changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from sqlalchemy import func, inspect, select, table, text

from node.adapters.database import Database, trace
from node.adapters.database.balance import balance
from node.adapters.database.engine import applied, revisions
from node.adapters.database.ledger import Ledger, broken_chains
from node.adapters.database.tables import instance, job, metadata, receipt
from node.app.node import Node
from node.config import load as load_settings
from node.errors import BadConfiguration
from tests.command_line import mricore_node, settings_file
from tests.databases import own_database, server
from tests.schemas import kept, load, load_into
from tests.waiting import arrival

__all__ = ["server"]

REVISIONS = kept()
_SOME = (REVISIONS[0], REVISIONS[len(REVISIONS) // 2], REVISIONS[-1])


def _on_both(revisions: Iterable[str]) -> list[ParameterSet]:
    """Each on SQLite; on PostgreSQL some, and all of them where there is time."""
    later = {one: () if one in _SOME else (pytest.mark.slow,) for one in revisions}
    return [
        *(pytest.param("sqlite", one, id=f"sqlite-{one}") for one in later),
        *(pytest.param("postgresql", one, marks=marks, id=f"postgresql-{one}") for one, marks in later.items()),
    ]


@pytest.fixture
def old(server: str, tmp_path: Path, revision: str) -> Iterator[Database]:
    """A database as a release of the revision left it."""
    if not server:
        load(revision, tmp_path / "node.db")
        database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    else:
        database = Database(own_database(server, f"of_{revision}"))
        load_into(database, revision, tmp_path)
    yield database
    database.close()


def counts(database: Database) -> dict[str, int]:
    """Rows of every table."""
    with database.reading() as connection:
        names = inspect(connection).get_table_names()
        return {name: connection.execute(select(func.count()).select_from(table(name))).scalar_one() for name in names}


def test_what_is_kept_is_of_revisions_that_there_were_and_begins_with_the_first() -> None:
    assert [one for one in revisions() if one in REVISIONS] == REVISIONS
    assert tuple(REVISIONS[:13]) == revisions()[:13]


@pytest.mark.parametrize(("server", "revision"), _on_both(REVISIONS), indirect=["server"])
def test_the_data_of_a_release_come_through_whole(old: Database, revision: str) -> None:
    before = counts(old)
    assert before["receipt"] == 36
    old.migrate()
    with old.reading() as connection:
        assert applied(connection) == revisions()[-1]
        inspector = inspect(connection)
        for one in metadata.sorted_tables:
            assert {column["name"] for column in inspector.get_columns(one.name)} == set(one.columns.keys()), one.name
    after = counts(old)
    assert {name: after[name] for name in ("receipt", "instance", "series", "job", "result", "delivery")} == {
        name: before[name] for name in ("receipt", "instance", "series", "job", "result", "delivery")
    }
    assert broken_chains(old) == {}
    found = balance(old)
    assert (found.received, found.delivered, found.filtered, found.residue) == (36, 32, 1, 0)
    _demand_told(old)
    _demand_it_goes_on(old)


def _demand_told(database: Database) -> None:
    """What happened to the series is told as before."""
    with database.reading() as connection:
        uids = connection.scalars(select(job.c.series_instance_uid).order_by(job.c.id)).all()
        names = set(connection.scalars(select(receipt.c.calling_ae).distinct()))
    head, localizer = (trace.line(database, uid) for uid in uids)
    assert head
    assert localizer
    assert names == {"DEMO_SCANNER"}
    assert [(one.state, [dict(segment)["label"] for segment in one.segments]) for one in head.jobs] == [
        ("completed", ["Head", "Brain"])
    ]
    assert [one.state for one in localizer.jobs] == ["not_processable"]
    assert head.received == {"stored": 32, "duplicate": 1}


def _demand_it_goes_on(database: Database) -> None:
    """New rows follow the old ones."""
    ledger = Ledger(database, "MRICORE", timedelta(seconds=1))
    ledger.record([arrival("1.2.3.4", _moment(database))])
    ledger.close()
    assert broken_chains(database) == {}
    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(instance)) == 36


def _moment(database: Database) -> datetime:
    with database.reading() as connection:
        found = connection.scalar(select(func.max(receipt.c.at)))
    assert isinstance(found, datetime)
    return found


@pytest.mark.parametrize(("server", "revision"), _on_both(_SOME[::2]), indirect=["server"])
def test_a_node_starts_on_the_data_of_a_release(old: Database, revision: str, tmp_path: Path) -> None:
    file = settings_file(tmp_path)
    url = old.engine.url.render_as_string(hide_password=False)
    settings = load_settings(file, {"MRICORE_DATABASE__URL": url, "MRICORE_JOBS__MAKERS": "0"})
    node = Node(
        settings.model_copy(update={"triton": settings.triton.model_copy(update={"url": "grpc://127.0.0.1:1"})})
    )
    try:
        node.start()
        assert node.dicom_port
    finally:
        node.stop()
    assert balance(old).residue == 0


@pytest.mark.parametrize(("server", "revision"), _on_both(REVISIONS[-1:]), indirect=["server"])
def test_tables_of_a_newer_release_are_left_alone_with_the_cure(old: Database, revision: str) -> None:
    old.migrate()
    with old.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = counts(old)
    with pytest.raises(BadConfiguration, match=r"revision 9999.*newer release.*howto-upgrade"):
        old.migrate()
    assert counts(old) == before


def test_an_older_release_says_so_and_ends(tmp_path: Path) -> None:
    load(REVISIONS[-1], tmp_path / "node.db")
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    with database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    done = mricore_node("serve", "--config", settings_file(tmp_path))
    assert done.status == 2
    assert "docs/howto-upgrade.md" in done.err
