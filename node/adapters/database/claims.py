"""Claims: which job is next, and whose it is. Claims come one after the other, so limits hold exactly.

A claim costs the same for one waiting job and for 100 000: indexes give the first of each lane and rank, by deadline
and by age.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, literal, select, text, union_all, update
from sqlalchemy.sql.selectable import CompoundSelect

from node.adapters.database import pauses
from node.adapters.database.engine import Database
from node.adapters.database.jobs import read
from node.adapters.database.tables import Moment, job
from node.core.jobs import RANKS, Candidate, Job, Lane, Limits, Paused, in_turn, is_open, mixed
from node.core.states import JobState, Stage

_ONE_AT_A_TIME = 0x6D726901  # any number that nobody else locks
_LANES_AT_ONCE = 50  # SQLite joins 500 selects at most


@dataclass(frozen=True)
class Claimant:
    """Who claims, and what."""

    owner: str = ""  # the process
    makes: bool = True  # jobs whose results are to be made
    delivers: bool = True  # jobs whose results are made
    limits: Limits = field(default_factory=Limits)

    def takes(self, lane: Lane) -> bool:
        return self.makes if lane.model else self.delivers


def claim(database: Database, now: datetime, claimant: Claimant | None = None, *, by_age: bool = False) -> Job | None:
    """Take the next job that is due. None when there is none that this claimant may have."""
    who = claimant or Claimant()
    with database.transaction() as connection:
        _wait_for_others(connection)
        lanes = _open_lanes(connection, who)
        for one in in_turn(_candidates(connection, lanes, now) if lanes else [], by_age=by_age):
            if taken := _take(connection, one.id, who.owner, now):
                return taken
    return None


def claim_this(database: Database, job_id: int, now: datetime, claimant: Claimant) -> Job | None:
    """Take one job, if it is due and may be had."""
    with database.transaction() as connection:
        _wait_for_others(connection)
        lane = connection.scalar(
            select(job.c.lane).where(job.c.id == job_id, job.c.state == JobState.SCHEDULED, job.c.next_try_at <= now)
        )
        if lane is None or Lane.read(lane) not in _allowed(connection, [Lane.read(lane)], claimant):
            return None
        return _take(connection, job_id, claimant.owner, now)


def next_due(database: Database, now: datetime, claimant: Claimant, most: int) -> list[Candidate]:
    """Jobs that this claimant might have next, in the order in which they should be tried; no more of a lane than its
    limit leaves room for. The last of every few by rank makes room for the one that waits longest."""
    with database.reading() as connection:
        lanes = _open_lanes(connection, claimant)
        if not lanes:
            return []
        rows = _firsts(connection, lanes, most, now)
        running = _running(connection)
    taken: Counter[Lane] = Counter()
    found: list[Candidate] = []
    lane_of = {row.id: Lane.read(row.lane) for row in rows}
    for one in mixed([Candidate(row.id, row.rank, row.next_try_at, row.deadline_at) for row in rows]):
        lane = lane_of[one.id]
        running_then = {other: running.get(other, 0) + taken[other] for other in {*running, *taken, lane}}
        if len(found) < most and is_open(lane, running_then, claimant.limits, Paused()):
            taken[lane] += 1
            found.append(one)
    return found


def still_claimed(database: Database, claimed: Job) -> bool:
    """Whether an attempt may go on."""
    mine = (job.c.id == claimed.id) & (job.c.claim == claimed.claim) & (job.c.state == JobState.IN_PROGRESS)
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(job).where(mine)) == 1


def _wait_for_others(connection: Connection) -> None:
    """SQLite's writers take turns already."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))


# Each step of the recursion is one look into the index, however many jobs a lane has.
_LANES = text(
    "WITH RECURSIVE found(lane) AS (SELECT MIN(lane) FROM job WHERE state = :state UNION ALL "
    "SELECT (SELECT MIN(job.lane) FROM job WHERE job.state = :state AND job.lane > found.lane) "
    "FROM found WHERE found.lane IS NOT NULL) SELECT lane FROM found WHERE lane IS NOT NULL"
)


def _open_lanes(connection: Connection, who: Claimant) -> list[Lane]:
    waiting = connection.execute(_LANES, {"state": JobState.SCHEDULED.value})
    return _allowed(connection, [Lane.read(row.lane) for row in waiting], who)


def _allowed(connection: Connection, lanes: Sequence[Lane], who: Claimant) -> list[Lane]:
    mine = [lane for lane in lanes if who.takes(lane)]
    if not mine:
        return []
    paused = pauses.read(connection)
    running = _running(connection)
    return [lane for lane in mine if is_open(lane, running, who.limits, paused)]


def _running(connection: Connection) -> dict[Lane, int]:
    counted = connection.execute(
        select(job.c.lane, func.count()).where(job.c.state == JobState.IN_PROGRESS).group_by(job.c.lane)
    )
    return {Lane.read(lane): int(number) for lane, number in counted}


def _candidates(connection: Connection, lanes: Sequence[Lane], now: datetime) -> list[Candidate]:
    return [Candidate(row.id, row.rank, row.next_try_at, row.deadline_at) for row in _firsts(connection, lanes, 1, now)]


def _firsts(connection: Connection, lanes: Sequence[Lane], each: int, now: datetime) -> list[Row[Any]]:
    """The first few of each lane and rank: those whose deadline is next, and those that were due first."""
    found: dict[int, Row[Any]] = {}
    for start in range(0, len(lanes), _LANES_AT_ONCE):
        some = tuple(lanes[start : start + _LANES_AT_ONCE])
        rows = connection.execute(_statement(some, each), {"now": now})
        found |= {row.id: row for row in rows}
    return list(found.values())


@lru_cache(maxsize=256)  # the lanes are nearly always the same, and building the statement costs more than running it
def _statement(lanes: tuple[Lane, ...], each: int) -> CompoundSelect[tuple[int, int, str, datetime, datetime | None]]:
    return union_all(*(_first(lane, rank, each, by) for lane in lanes for rank in RANKS for by in ("deadline", "age")))


def _first(lane: Lane, rank: int, each: int, by: str) -> Select[tuple[int, int, str, datetime, datetime | None]]:
    due = (
        select(job.c.id, literal(rank).label("rank"), job.c.lane, job.c.next_try_at, job.c.deadline_at)
        .where(
            job.c.state == JobState.SCHEDULED,
            job.c.lane == str(lane),
            job.c.rank == rank,
            job.c.next_try_at <= bindparam("now", type_=Moment()),
        )
        .limit(each)
    )
    if by == "deadline":
        due = due.where(job.c.deadline_at.is_not(None)).order_by(job.c.deadline_at, job.c.next_try_at, job.c.id)
    else:
        due = due.order_by(job.c.next_try_at, job.c.id)
    one = due.subquery()
    return select(one.c.id, one.c.rank, one.c.lane, one.c.next_try_at, one.c.deadline_at)


def _take(connection: Connection, job_id: int, owner: str, now: datetime) -> Job | None:
    taken = connection.execute(
        update(job)
        .where(job.c.id == job_id, job.c.state == JobState.SCHEDULED)
        .values(
            state=JobState.IN_PROGRESS,
            stage=func.coalesce(job.c.stage, Stage.INFER),
            attempts=job.c.attempts + 1,
            started_at=func.coalesce(job.c.started_at, now),
            next_try_at=None,
            reason="",
            owner=owner or None,
            claim=job.c.claim + 1,
        )
    )
    if not taken.rowcount:
        return None  # canceled or superseded at this moment
    return read(connection.execute(select(job).where(job.c.id == job_id)).one())
