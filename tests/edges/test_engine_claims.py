"""Which job is next, and whose it is; the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from node.adapters.database import Database, claims, jobs, pauses, processes
from node.adapters.database.balance import balance
from node.adapters.database.claims import Claimant
from node.adapters.database.tables import job as job_table
from node.core.jobs import EVERY_NTH_BY_AGE, MOST_CUT_OFF, SET_ASIDE, Job, Limits, MadeResult
from node.core.states import DeliveryState, JobState, Stage
from tests.databases import url
from tests.waiting import NOON, emptied, wait

__all__ = ["url"]

LATER = NOON + timedelta(hours=1)
MADE = [MadeResult("SEG", "1.2", "3.1", "3.2", "p", "c" * 64, 5)]


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = emptied(Database(url))
    yield opened
    opened.close()


def claimed(database: Database, claimant: Claimant | None = None, *, by_age: bool = False) -> Job:
    job = claims.claim(database, LATER, claimant, by_age=by_age)
    assert job
    return job


def name(job: Job | None) -> str | None:
    return job.series_instance_uid if job else None


def in_delivery(database: Database, *destinations: str, series: str) -> None:
    """A job whose results are made and wait for a worker that delivers."""
    wait(database, series, destinations=destinations)
    job = claimed(database, Claimant("maker", delivers=False))
    assert jobs.keep_results(database, job, MADE, [], {}, "1")
    assert jobs.hand_on(database, job, LATER)


def test_stat_comes_before_routine_before_low_and_each_in_the_order_of_its_age(database: Database) -> None:
    for number, priority in enumerate(("low", "routine", "stat", "stat")):
        wait(database, f"{priority}{number}", priority=priority, at=NOON + timedelta(minutes=number))
    assert [name(claims.claim(database, LATER)) for _ in range(5)] == ["stat2", "stat3", "routine1", "low0", None]


def test_one_claim_of_several_goes_to_whoever_waits_longest(database: Database) -> None:
    wait(database, "low", priority="low")
    for number in range(EVERY_NTH_BY_AGE):
        wait(database, f"stat{number}", priority="stat", at=NOON + timedelta(minutes=1))
    assert name(claimed(database, by_age=True)) == "low"


def test_what_is_not_due_is_left_and_what_is_due_behind_it_is_taken(database: Database) -> None:
    wait(database, "early")
    jobs.finish(
        database, claimed(database).id, JobState.SCHEDULED, "later", LATER, next_try_at=LATER + timedelta(days=1)
    )
    wait(database, "next")
    assert name(claimed(database)) == "next"
    assert claims.claim(database, LATER) is None


def test_a_limit_of_a_model_holds_exactly_when_many_claim_at_once(database: Database) -> None:
    for number in range(12):
        wait(database, f"s{number}")
    wait(database, "other", model="tail")
    who = Claimant("node", limits=Limits(models={"head": 3}))
    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(lambda _: claims.claim(database, LATER, who), range(24)))
    models = sorted(job.model for job in taken if job)
    assert models == ["head", "head", "head", "tail"]


def test_claims_at_once_never_take_the_same_job(database: Database) -> None:
    for number in range(20):
        wait(database, f"s{number}")
    with ThreadPoolExecutor(6) as pool:
        taken = [job.id for job in pool.map(lambda _: claims.claim(database, LATER), range(30)) if job]
    assert len(taken) == len(set(taken)) == 20


def test_a_destination_that_is_full_does_not_hold_up_another(database: Database) -> None:
    for series, destination in (("a", "slow"), ("b", "slow"), ("c", "quick")):
        in_delivery(database, destination, series=series)
    who = Claimant("node", makes=False, limits=Limits(destination=1))
    assert [name(claims.claim(database, LATER, who)) for _ in range(3)] == ["a", "c", None]


def test_makers_and_deliverers_leave_each_other_their_jobs(database: Database) -> None:
    in_delivery(database, "pacs", series="a")
    wait(database, "b")
    assert name(claims.claim(database, LATER, Claimant("maker", delivers=False))) == "b"
    assert name(claims.claim(database, LATER, Claimant("deliverer", makes=False))) == "a"


def test_a_paused_model_gets_no_jobs_until_it_goes_on(database: Database) -> None:
    wait(database, "a")
    assert pauses.pause(database, pauses.MODEL, "head", "somebody", LATER)
    assert not pauses.pause(database, pauses.MODEL, "head", "somebody", LATER)
    assert claims.claim(database, LATER) is None
    assert pauses.resume(database, pauses.MODEL, "head", LATER)
    assert not pauses.resume(database, pauses.MODEL, "head", LATER)
    assert name(claimed(database)) == "a"


def test_a_paused_destination_gets_nothing_and_the_others_do(database: Database) -> None:
    in_delivery(database, "one", "two", series="both")
    in_delivery(database, "two", series="alone")
    pauses.pause(database, pauses.DESTINATION, "two", "somebody", LATER)
    job = claimed(database)
    assert name(job) == "both"
    assert claims.claim(database, LATER) is None
    (left,) = jobs.to_deliver(database, job.id)
    assert left.destination == "one"
    jobs.note_delivery(database, left.id, DeliveryState.DELIVERED, "0000", LATER)
    (pause,) = pauses.held_up(database, job.id)
    assert (pause.name, pause.actor) == ("two", "somebody")
    jobs.finish(database, job.id, JobState.SCHEDULED, "paused", LATER, next_try_at=LATER + timedelta(days=1))
    pauses.resume(database, pauses.DESTINATION, "two", LATER)
    assert sorted(name(claimed(database)) or "" for _ in range(2)) == ["alone", "both"]
    assert [one.destination for one in jobs.to_deliver(database, job.id)] == ["two"]


def test_an_attempt_whose_job_was_taken_over_writes_nothing_more(database: Database) -> None:
    wait(database, "a")
    processes.arrive(database, "first", LATER)
    late = claimed(database, Claimant("first"))
    processes.arrive(database, "first", LATER)
    now = claimed(database, Claimant("second"))
    assert not claims.still_claimed(database, late)
    assert not jobs.enter(database, late, Stage.ENCODE)
    assert not jobs.keep_results(database, late, MADE, [], {}, "1")
    assert not jobs.hand_on(database, late, LATER)
    assert not jobs.finish(database, late.id, JobState.COMPLETED, "late", LATER, claim=late.claim)
    assert claims.still_claimed(database, now)
    assert jobs.finish(database, now.id, JobState.COMPLETED, "done", LATER, claim=now.claim)


def test_a_process_that_starts_again_takes_up_its_own_jobs_at_once_and_leaves_those_of_others(
    database: Database,
) -> None:
    for one in ("mine", "theirs"):
        processes.arrive(database, one, LATER)
        wait(database, one)
        claimed(database, Claimant(one))
    assert processes.arrive(database, "mine", LATER) == 1
    assert name(claimed(database, Claimant("mine"))) == "mine"


def test_jobs_of_a_silent_process_are_taken_up_and_those_of_a_living_one_are_not(database: Database) -> None:
    for one in ("dead", "alive"):
        processes.arrive(database, one, LATER)
        wait(database, one)
        claimed(database, Claimant(one))
    assert processes.bury(database, "alive", 3600, LATER) == 0
    assert processes.bury(database, "alive", -1, LATER) == 1  # a moment ago is too long ago
    assert set(processes.living(database)) == {"alive"}
    again = claimed(database, Claimant("alive"))
    assert (name(again), again.cut_off, again.attempts) == ("dead", 1, 2)
    assert not processes.beat(database, "dead")  # it was only asleep, and hears that it was given up
    assert processes.beat(database, "dead")


def test_a_process_that_is_told_to_stop_hands_back_what_it_has_and_it_is_not_held_against_the_job(
    database: Database,
) -> None:
    processes.arrive(database, "node", LATER)
    wait(database, "a")
    claimed(database, Claimant("node"))
    assert processes.leave(database, "node", LATER) == 1
    assert processes.living(database) == {}
    assert claimed(database, Claimant("another")).cut_off == 0


def test_a_job_that_ends_its_process_again_and_again_is_set_aside_and_counted(database: Database) -> None:
    wait(database, "poison")
    (poison,) = numbers(database)
    for _ in range(MOST_CUT_OFF):
        claimed(database, Claimant("node"))
        processes.arrive(database, "node", LATER)
    assert claims.claim(database, LATER) is None
    after = jobs.get(database, poison)
    assert after
    assert (after.state, after.reason) == (JobState.FAILED, SET_ASIDE)
    found = balance(database)
    assert (found.failed, found.residue) == (1, 0)
    assert jobs.retry(database, poison, "somebody", LATER)
    assert claimed(database).cut_off == 0


def test_an_attempt_that_ends_in_any_other_way_clears_the_count(database: Database) -> None:
    wait(database, "a")
    for _ in range(2 * MOST_CUT_OFF):
        claimed(database, Claimant("node"))
        processes.arrive(database, "node", LATER)
        job = claimed(database, Claimant("node"))
        assert job.cut_off == 1
        jobs.finish(database, job.id, JobState.SCHEDULED, "the model is away", LATER, claim=job.claim)


def test_one_job_is_claimed_by_its_number_only_while_it_may_be_had(database: Database) -> None:
    wait(database, "a")
    who = Claimant("node")
    (first,) = numbers(database)
    pauses.pause(database, pauses.MODEL, "head", "somebody", LATER)
    assert claims.claim_this(database, first, LATER, who) is None
    pauses.resume(database, pauses.MODEL, "head", LATER)
    assert claims.claim_this(database, first, NOON - timedelta(minutes=1), who) is None
    assert claims.claim_this(database, first, LATER, who)
    assert claims.claim_this(database, first, LATER, who) is None
    assert claims.claim_this(database, 4711, LATER, who) is None


def numbers(database: Database) -> list[int]:
    with database.reading() as connection:
        return list(connection.scalars(select(job_table.c.id)))
