"""Jobs whose results are wanted by a time: they come in that order, and what is late is marked and never dropped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from node.adapters.database import Database, claims, jobs
from node.adapters.database.tables import change
from node.adapters.database.tables import job as job_table
from node.core.jobs import OVERDUE, Job
from node.core.states import JobState
from tests.databases import url
from tests.waiting import NOON, emptied, wait

__all__ = ["url"]


def hours(number: float) -> datetime:
    return NOON + timedelta(hours=number)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = emptied(Database(url))
    yield opened
    opened.close()


def claimed(database: Database, now: datetime) -> Job:
    job = claims.claim(database, now)
    assert job
    return job


def history(database: Database, job_id: int) -> list[tuple[str, str]]:
    with database.reading() as connection:
        rows = connection.execute(select(change).where(change.c.job_id == job_id).order_by(change.c.id))
        return [(row.state, row.reason) for row in rows]


def test_the_earliest_deadline_comes_first_within_a_priority_and_a_higher_priority_before_it(
    database: Database,
) -> None:
    wait(database, "whenever")
    wait(database, "late", deadline_at=hours(9))
    wait(database, "soon", deadline_at=hours(5), at=hours(0.5))
    wait(database, "low", priority="low", deadline_at=hours(2))
    wait(database, "stat", priority="stat", at=hours(0.9))
    order = [claimed(database, hours(1)).series_instance_uid for _ in range(5)]
    assert order == ["stat", "soon", "late", "whenever", "low"]


def test_a_deadline_does_not_make_a_job_due(database: Database) -> None:
    wait(database, "soon", deadline_at=hours(2))
    first = claimed(database, hours(1))
    assert first.deadline_at == hours(2)
    jobs.finish(database, first.id, JobState.SCHEDULED, "later", hours(1), next_try_at=hours(3))
    wait(database, "late", deadline_at=hours(9))
    assert claimed(database, hours(1)).series_instance_uid == "late"
    assert claims.claim(database, hours(1)) is None


def test_the_engine_is_given_jobs_in_the_same_order(database: Database) -> None:
    wait(database, "whenever")
    wait(database, "late", deadline_at=hours(9))
    wait(database, "soon", deadline_at=hours(5))
    found = claims.next_due(database, hours(1), claims.Claimant(), 9)
    assert [one.deadline_at for one in found] == [hours(5), hours(9), None]


def test_an_overdue_job_is_marked_once_and_goes_on(database: Database) -> None:
    wait(database, "late", deadline_at=hours(2))
    wait(database, "soon", deadline_at=hours(9))
    assert jobs.mark_overdue(database, hours(1)) == 0
    assert [jobs.mark_overdue(database, hours(3)) for _ in range(2)] == [1, 0]
    late = claimed(database, hours(3))
    assert (late.series_instance_uid, late.overdue) == ("late", True)
    assert history(database, late.id)[1:] == [("scheduled", OVERDUE)]


def test_a_job_that_ends_too_late_is_overdue_though_nobody_marked_it_before(database: Database) -> None:
    wait(database, "late", deadline_at=hours(2))
    late = claimed(database, hours(1))
    assert jobs.finish(database, late.id, JobState.COMPLETED, "delivered", hours(3))
    with database.reading() as connection:
        assert connection.scalar(select(job_table.c.overdue)) == 1


def test_more_destinations_than_one_statement_can_ask_for_are_asked_for(database: Database) -> None:
    for number in range(60):
        wait(database, f"s{number}", model=f"m{number}", deadline_at=hours(60 - number))
    assert claimed(database, hours(1)).series_instance_uid == "s59"
