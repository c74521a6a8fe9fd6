"""The audit trail's rows, on every database: one chain whoever writes, and a line only with the change it tells of."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from node.adapters.database import Database, audit, job_list, jobs, pauses
from node.adapters.database.access import accounts, failures, once, sessions, tokens
from node.adapters.database.access.tables import audit as rows
from node.adapters.database.access.tables import failure
from node.adapters.database.job_list import Wanted
from node.core.access import Right, Role
from node.core.access.secrets import Lifetime
from node.core.states import JobState
from node.errors import Usage
from tests.databases import url
from tests.waiting import NOON, emptied, wait

__all__ = ["url"]


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = emptied(Database(url))
    yield opened
    opened.close()


def told(database: Database) -> list[tuple[str, str, str]]:
    return [(one.line.what, one.line.actor, one.line.object) for one in audit.after(database, 0, 1000)]


def test_many_writers_make_one_chain(database: Database) -> None:
    def write(number: int) -> None:
        with database.transaction() as connection:
            audit.note(connection, NOON, "job.retry", f"job {number}", actor="anna")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(20)))
    assert [one.number for one in audit.after(database, 0, 100)] == list(range(1, 21))
    assert audit.broken(database) == ()


def test_a_change_that_was_rolled_back_left_no_line(database: Database) -> None:
    def change() -> None:
        with database.transaction() as connection:
            audit.note(connection, NOON, "job.retry", "job 1", actor="anna")
            raise Usage("no")

    with pytest.raises(Usage):
        change()
    assert told(database) == []


def test_a_line_that_was_changed_or_taken_away_shows(database: Database) -> None:
    for number in range(4):
        with database.transaction() as connection:
            audit.note(connection, NOON, "job.retry", f"job {number}", actor="anna")
    with database.transaction() as connection:
        connection.execute(update(rows).where(rows.c.number == 2).values(actor="eve"))
    assert audit.broken(database) == (2,)
    with database.transaction() as connection:
        connection.execute(delete(rows).where(rows.c.number == 2))
    assert audit.broken(database) == (3,)


def test_pages_go_from_the_newest_to_the_oldest_and_may_be_of_one_person(database: Database) -> None:
    for number in range(5):
        with database.transaction() as connection:
            audit.note(connection, NOON, "job.retry", f"job {number}", actor="anna" if number % 2 else "bernd")
    wanted = audit.Wanted(actor="bernd")
    first = audit.page(database, wanted, None, 2)
    second = audit.page(database, wanted, first[-1].number, 2)
    assert [one.line.object for one in (*first, *second)] == ["job 4", "job 2", "job 0"]
    assert audit.page(database, audit.Wanted(object="job 3"), None, 9)[0].number == 4


def test_what_is_asked_for_may_be_of_one_person_one_kind_and_one_thing(database: Database) -> None:
    for number in range(8):
        with database.transaction() as connection:
            who, what = "anna" if number % 2 else "bernd", "job.retry" if number % 4 < 2 else "job.cancel"
            audit.note(connection, NOON, what, f"job {number // 4}", actor=who)

    def numbers(**wanted: str) -> list[int]:
        return [one.number for one in audit.page(database, audit.Wanted(**wanted), None, 9)]

    assert numbers(actor="anna", what="job.retry") == [6, 2]
    assert numbers(actor="anna", object="job 1") == [8, 6]
    assert numbers(actor="anna", what="job.cancel", object="job 1") == [8]
    assert numbers(what="job.cancel", object="job 2") == []


def test_what_people_do_with_jobs_leaves_a_line_and_what_the_node_does_leaves_none(database: Database) -> None:
    wait(database, "a")
    (job,) = job_list.page(database, Wanted(), None, 9).jobs
    assert jobs.finish(database, job.id, JobState.CANCELED, "not needed", NOON, actor="anna")
    assert jobs.retry(database, job.id, "worker", NOON)
    assert pauses.pause(database, "model", "head", "bernd", NOON)
    assert not pauses.pause(database, "model", "head", "bernd", NOON)
    assert told(database) == [("job.cancel", "anna", f"job {job.id}"), ("model.pause", "bernd", "model head")]
    line = audit.after(database, 0, 1)[0].line
    assert (line.before, line.after, line.reason) == ("scheduled", "canceled", "not needed")


def test_of_two_first_administrators_one_is_made(database: Database) -> None:
    def first(name: str) -> bool:
        try:
            accounts.add(database, name, Role.ADMIN, True, "x", NOON, only_first=True)
        except Usage:
            return False
        return True

    assert [first("anna"), first("bernd")] == [True, False]
    with pytest.raises(Usage, match="taken"):
        accounts.add(database, "ANNA", Role.VIEWER, True, "x", NOON)


def test_a_secret_that_is_used_once_is_used_once(database: Database) -> None:
    once.keep(database, "d", once.FIRST_START, NOON + timedelta(hours=1), NOON, {"then": "/"})
    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda _: once.take(database, "d", once.FIRST_START, NOON), range(4)))
    assert sorted(taken, key=str) == [None, None, None, {"then": "/"}]


def test_tries_are_counted_before_they_are_made(database: Database) -> None:
    """Many at once would otherwise all be the first."""
    with ThreadPoolExecutor(4) as threads:
        waits = list(threads.map(lambda _: failures.admit(database, {"k": 5}, NOON), range(12)))
    assert sorted(wait > 0 for wait in waits) == [False] * 5 + [True] * 7


def test_names_that_are_made_up_fill_no_disk(database: Database) -> None:
    for number in range(9):
        failures.admit(database, {f"k{number}": 5}, NOON + timedelta(seconds=number), at_most=5)
    with database.reading() as connection:
        kept = sorted(connection.scalars(failure.select().with_only_columns(failure.c.key)))
    assert kept == ["k4", "k5", "k6", "k7", "k8"]


def test_sessions_and_tokens_are_found_while_they_count(database: Database) -> None:
    who = accounts.add(database, "anna", Role.AUTHOR, True, "x", NOON)
    sessions.begin(database, who.id, "anna", "s", NOON, Lifetime(), address="::1", agent="test")
    made = tokens.create(database, who.id, "anna", "ci", "t", "mricore_abc", [Right.READ], True,
                         NOON + timedelta(days=1), NOON)  # fmt: skip
    found, bearer = sessions.find(database, "s", NOON, Lifetime()), tokens.find(database, "t", NOON)
    assert found
    assert bearer
    assert (found.name, bearer.role, bearer.token.scopes) == ("anna", Role.AUTHOR, (Right.READ,))
    accounts.add(database, "root", Role.ADMIN, True, "x", NOON)
    accounts.remove(database, "anna", NOON, actor="root")
    assert sessions.find(database, "s", NOON, Lifetime()) is None
    assert tokens.find(database, "t", NOON) is None
    assert [one.revoked_at for one in tokens.listed(database) if one.id == made.id] == [NOON]
