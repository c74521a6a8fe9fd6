"""What one of several processes does alone, and the one clock of all of them; on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from node.adapters.database import Database, leases, processes, rules, series
from node.adapters.database.access import accounts
from node.adapters.database.clock import shared
from node.adapters.database.engine_tables import process
from node.adapters.database.ledger import Ledger
from node.adapters.database.tables import series as series_table
from node.adapters.database.turns import Turn, take_turn
from node.adapters.files import Files
from node.core.access import Role
from node.core.completion import Policy
from node.core.status import SUCCESS
from node.errors import Usage
from node.pipeline.completion import Completion
from node.pipeline.reception import Reception
from tests.bench import rules as rule_set
from tests.bench import until
from tests.clock import Clock
from tests.databases import url
from tests.receiving import SENDER, encoded
from tests.synthetic import Grid, mr_series
from tests.waiting import NOON, arrival, emptied

__all__ = ["url"]

LATER = NOON + timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = emptied(Database(url))
    for name in ("one", "two"):
        processes.arrive(opened, name, NOON)
    yield opened
    opened.close()


def silence(database: Database, name: str) -> None:
    with database.transaction() as connection:
        connection.execute(update(process).where(process.c.id == name).values(beat=process.c.beat - 60))


def test_a_lease_has_one_holder_who_keeps_it(database: Database) -> None:
    assert leases.hold(database, "feed", "one")
    assert not leases.hold(database, "feed", "two")
    assert leases.hold(database, "feed", "one")
    assert leases.hold(database, "another", "two")
    assert leases.holders(database) == {"feed": "one", "another": "two"}


def test_who_leaves_gives_it_up_at_once(database: Database) -> None:
    leases.hold(database, "feed", "one")
    processes.leave(database, "one", NOON)
    assert leases.holders(database) == {}
    assert leases.hold(database, "feed", "two")


def test_who_gives_no_sign_of_life_loses_it_and_does_not_get_it_back_when_it_wakes(database: Database) -> None:
    leases.hold(database, "feed", "one")
    silence(database, "one")
    assert not leases.hold(database, "feed", "two")
    processes.bury(database, "two", 15, NOON)
    assert not leases.hold(database, "feed", "one")  # given up: it must enlist again first
    assert leases.hold(database, "feed", "two")
    assert not processes.beat(database, "one")
    assert not leases.hold(database, "feed", "one")


def test_who_does_not_live_holds_nothing(database: Database) -> None:
    assert not leases.hold(database, "feed", "nobody")
    assert leases.holders(database) == {}


def test_many_who_ask_at_once_get_one_holder(database: Database) -> None:
    names = [f"process {number}" for number in range(6)]
    for name in names:
        processes.arrive(database, name, NOON)
    for attempt in range(5):
        ask = partial(leases.hold, database, f"feed {attempt}")
        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(ask, names)) == 1


def test_clerks_of_several_processes_are_given_different_series(database: Database) -> None:
    ledger = Ledger(database, "chain", timedelta(seconds=1))
    ledger.record([arrival(f"s{number:02}", NOON) for number in range(40)])
    ledger.close()
    if database.engine.dialect.name == "sqlite":  # one process, which looks when it likes
        assert series.due(database, LATER) == series.due(database, LATER)
        return
    with ThreadPoolExecutor(4) as pool:
        given = [uid for uids in pool.map(lambda _: series.due(database, LATER), range(4)) for uid in uids]
    assert len(given) == len(set(given))
    assert len(given) >= 20
    given += series.due(database, LATER)
    given += series.due(database, LATER)
    assert sorted(given) == [f"s{number:02}" for number in range(40)]
    assert len(series.due(database, LATER + timedelta(minutes=1))) == 20  # whoever had them died


def test_the_tables_and_the_rules_are_written_once_when_replicas_start_at_once(url: str, database: Database) -> None:
    def start(_: int) -> bool:
        replica = Database(url)
        try:
            replica.migrate()
            return rules.keep(replica, "v1", {}, author="node", reason="start", now=NOON)
        finally:
            replica.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(start, range(4))) == 1


def test_processes_whose_clocks_differ_tell_the_same_time(database: Database) -> None:
    own = Clock(datetime(2020, 1, 1, tzinfo=UTC))
    clock = shared(database, own)
    if clock is None:
        assert database.engine.dialect.name == "sqlite"  # one machine, one clock
        return
    another = shared(database, Clock(datetime(2030, 1, 1, tzinfo=UTC)))
    assert another
    assert clock() == own()  # nobody looked yet
    clock.look()
    another.look()
    assert abs(clock() - another()) < 5 * MINUTE
    assert another.ahead - clock.ahead > timedelta(days=3600)
    own.advance(-3600)  # somebody sets the machine's clock
    assert abs(clock() - another()) < 5 * MINUTE


def test_a_machine_a_minute_ahead_waits_no_shorter_for_what_one_a_minute_behind_received(
    database: Database, tmp_path: Path
) -> None:
    """On SQLite there is one machine, and one clock."""
    behind, ahead = (shared(database, Clock(datetime.now(UTC) + off)) for off in (-MINUTE, MINUTE))  # noqa: TID251
    if behind is None or ahead is None:
        assert database.engine.dialect.name == "sqlite"
        return
    for clock in (behind, ahead):
        clock.look()
    files = Files(tmp_path / "instances", 0)
    reception = Reception(database, files, behind, chain="behind")
    for ds in mr_series(Grid(slices=4)):
        one = encoded(ds)
        uids = (one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid)
        assert reception.receive(SENDER, *uids, one.data_set).status == SUCCESS
    reception.close()
    policy = Policy(quiet_seconds=90, settle_seconds=90, grid_seconds=90, longest_seconds=600)
    with database.reading() as connection:
        (uid,) = connection.scalars(select(series_table.c.series_instance_uid)).all()
    assert not Completion(database, files, ahead, rule_set, lambda _ae: policy).judge(uid)


def test_two_administrators_who_are_removed_at_once_leave_one(database: Database) -> None:
    names = ("ada", "bob")
    for name in names:
        accounts.add(database, name, Role.ADMIN, True, "hashed", NOON)

    def removed(name: str) -> str:
        try:
            accounts.remove(database, name, LATER)
        except Usage as kept:
            return str(kept)
        return "removed"

    with ThreadPoolExecutor(2) as pool:
        with database.transaction() as connection:
            take_turn(connection, Turn.AUDIT)  # which each of them needs in the end
            each = [pool.submit(removed, name) for name in names]
            if database.engine.dialect.name == "postgresql":
                until(lambda: _waiting(database) == 2, "both to wait")
        said = sorted(one.result() for one in each)
    assert said[1] == "removed"
    assert "is the last administrator" in said[0]


def _waiting(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) or 0)
