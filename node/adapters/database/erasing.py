"""Bytes that a person has removed while their rows stay: a study, a series or an instance, and only what is settled.

First all of it is looked at, without keeping anybody waiting; then it goes in portions of a few series, each in a short
transaction of its own that looks once more: the reception has its turn in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)

from node.adapters.database import audit, removals
from node.adapters.database.engine import Database
from node.adapters.database.removals import Gone
from node.adapters.database.retention import hold_jobs, stored
from node.adapters.database.routing_tables import job_series
from node.adapters.database.tables import Moment, change, instance, job, result, series
from node.core.audit import What
from node.core.retention import Stored, is_settled
from node.core.states import JobState, SeriesState

SAID = "its bytes were removed over DICOMweb"  # how the history of a series tells it
_MOST_UIDS = 500  # in one statement
_MOST_SERIES, _MOST_INSTANCES = 25, 2000  # in one portion, but for a series that is larger


@dataclass(frozen=True)
class Asked:
    """What is to go, by UIDs; "" for what is not named. And who wants it, and why."""

    study: str
    series: str
    instance: str
    actor: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What was found when it was looked at first. Nothing is to go when there is something unsettled."""

    portions: Sequence[Sequence[str]] = ()  # Series Instance UIDs: of what was received, or of the jobs of results
    unsettled: Sequence[str] = ()  # Series Instance UIDs

    @property
    def series(self) -> int:
        """How many series."""
        return sum(len(one) for one in self.portions)


@dataclass(frozen=True)
class Erased:
    """What went with a portion; nothing of it did when something is unsettled."""

    files: Sequence[Gone] = ()  # that may go now
    unsettled: Sequence[str] = ()  # Series Instance UIDs


def plan(database: Database, asked: Asked) -> Plan:
    """Look at all of it. Nothing is found: no portions."""
    with database.reading() as connection:
        received = _received(connection, asked)
        made = _made(connection, asked)
        unsettled = _unsettled(connection, received, made)
        if unsettled:
            return Plan(unsettled=sorted(unsettled))
        uids = sorted({row.series_instance_uid for row in (*received, *made)})
        return Plan(list(_portions(connection, uids)))


def erase(database: Database, asked: Asked, portion: Sequence[str], now: datetime) -> Erased:
    """Note that the bytes of a portion are gone. When something of it is not settled any more nothing is noted, and it
    is told which."""
    with database.transaction() as connection:
        received = _received(connection, asked, portion)
        hold_jobs(connection, portion)
        made = _made(connection, asked, portion)
        unsettled = _unsettled(connection, received, made)
        if unsettled:
            return Erased(unsettled=sorted(unsettled))
        files, number = _erase_instances(connection, [row.series_instance_uid for row in received], asked, now)
        _mark(connection, result, [row.id for row in made], now)
        if not number and not made:
            return Erased()  # somebody was faster
        said = f"{SAID}{': ' if asked.reason else ''}{asked.reason}"
        for uid, state in {(row.series_instance_uid, row.series_state) for row in made} | {
            (row.series_instance_uid, row.state) for row in received
        }:
            line = {"at": now, "actor": asked.actor, "series_instance_uid": uid, "state": state, "reason": said}
            connection.execute(insert(change), line)
        removals.note(connection, now, asked.actor, _told(received, made, asked))
        on = " ".join(part for part in ("study", asked.study, asked.series, asked.instance) if part)
        told = {"instances": number, "results": len(made)}
        audit.note(connection, now, What.ERASED, on, actor=asked.actor, after=told, reason=asked.reason)
        return Erased([*files, *(Gone("results", row.sop_instance_uid, row.path) for row in made)])


def _received(connection: Connection, asked: Asked, portion: Sequence[str] | None = None) -> list[Row[Any]]:
    """Series with instances that are to go: what retention removed too, as whoever asks says more than it did."""
    wanted = select(series).where(series.c.study_instance_uid == asked.study)
    if asked.series:
        wanted = wanted.where(series.c.series_instance_uid == asked.series)
    if portion is not None:
        wanted = wanted.where(series.c.series_instance_uid.in_(portion)).with_for_update()
    there = exists().where(instance.c.series_instance_uid == series.c.series_instance_uid, _wanted(asked))
    return list(connection.execute(wanted.where(there).order_by(series.c.series_instance_uid)))


def _wanted(asked: Asked) -> Any:
    """Which instances of its series."""
    one = instance.c.sop_instance_uid == asked.instance if asked.instance else true()
    return and_(instance.c.erased_by.is_(None), one)


def _made(connection: Connection, asked: Asked, portion: Sequence[str] | None = None) -> list[Row[Any]]:
    """Results that are to go: those named, and those of the jobs on series that are to go."""
    wanted = (
        select(
            result.c.id,
            result.c.path,
            result.c.sop_instance_uid,
            result.c.series_instance_uid.label("made_series"),
            job.c.state,
            job.c.series_instance_uid,
            series.c.state.label("series_state"),
        )
        .join(job, job.c.id == result.c.job_id)
        .join(series, series.c.series_instance_uid == job.c.series_instance_uid)
        .where(series.c.study_instance_uid == asked.study, result.c.removed_at.is_(None))
    )
    if asked.instance:
        wanted = wanted.where(result.c.series_instance_uid == asked.series, result.c.sop_instance_uid == asked.instance)
    elif asked.series:
        wanted = wanted.where(
            or_(result.c.series_instance_uid == asked.series, job.c.series_instance_uid == asked.series)
        )
    if portion is not None:
        wanted = wanted.where(job.c.series_instance_uid.in_(portion))
    return list(connection.execute(wanted))


def _unsettled(connection: Connection, received: Sequence[Row[Any]], made: Sequence[Row[Any]]) -> set[str]:
    found = {row.series_instance_uid for row in made if not _is_done(row)}
    for at in range(0, len(received), _MOST_UIDS):
        some = stored(connection, received[at : at + _MOST_UIDS])
        found |= {one.series_instance_uid for one in some if not is_settled(one)}
    return found


def _is_done(made: Row[Any]) -> bool:
    """Whether a result's job is done with: the result of a series of which nothing else is to be done could go."""
    states = (JobState(made.state),)
    return is_settled(Stored("", SeriesState.FILTERED, states, datetime.min.replace(tzinfo=UTC), 0))


def _portions(connection: Connection, uids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Small enough that nobody waits long for one."""
    portion: list[str] = []
    instances = 0
    for at in range(0, len(uids), _MOST_UIDS):
        of = instance.c.series_instance_uid
        counted = select(of, func.count()).where(of.in_(uids[at : at + _MOST_UIDS])).group_by(of)
        numbers = {uid: int(number) for uid, number in connection.execute(counted)}
        for uid in uids[at : at + _MOST_UIDS]:
            if portion and (len(portion) == _MOST_SERIES or instances + numbers.get(uid, 0) > _MOST_INSTANCES):
                yield portion
                portion, instances = [], 0
            portion.append(uid)
            instances += numbers.get(uid, 0)
    if portion:
        yield portion


def _erase_instances(
    connection: Connection, uids: Sequence[str], asked: Asked, now: datetime
) -> tuple[list[Gone], int]:
    """Files that may go now, and how many instances are no part of their series any more."""
    mine = and_(instance.c.series_instance_uid.in_(uids), _wanted(asked))
    paths = select(instance.c.sop_instance_uid, instance.c.path).where(mine, instance.c.removed_at.is_(None))
    files = [Gone("instances", uid, path) for uid, path in connection.execute(paths)]
    _used_less(connection, mine)
    values = {"removed_at": func.coalesce(instance.c.removed_at, literal(now, Moment())), "erased_by": asked.actor}
    number = connection.execute(update(instance).where(mine).values(**values)).rowcount
    left = exists().where(
        instance.c.series_instance_uid == series.c.series_instance_uid, instance.c.removed_at.is_(None)
    )
    empty = series.c.series_instance_uid.in_(uids), series.c.removed_at.is_(None), ~left
    connection.execute(update(series).where(*empty).values(removed_at=now))
    return files, number


def _used_less(connection: Connection, gone: ColumnElement[bool]) -> None:
    """Jobs that other series carry read so many fewer of these: what comes in their place is more than they read."""
    each = instance.c.series_instance_uid
    for uid, number in connection.execute(select(each, func.count()).where(gone).group_by(each)).all():
        mine = job_series.c.series_instance_uid == uid
        connection.execute(update(job_series).where(mine).values(used=job_series.c.used - int(number)))


def _told(received: Sequence[Row[Any]], made: Sequence[Row[Any]], asked: Asked) -> list[tuple[str, str]]:
    """For those who follow removals: series that went whole, and what went alone."""
    uids = {row.series_instance_uid for row in received}
    alone = [
        (row.made_series, row.sop_instance_uid) for row in made if asked.instance or row.series_instance_uid not in uids
    ]
    return [(uid, asked.instance) for uid in sorted(uids)] + sorted(alone)


def _mark(connection: Connection, table: Table, ids: Sequence[int], now: datetime) -> None:
    for at in range(0, len(ids), _MOST_UIDS):
        some = table.c.id.in_(ids[at : at + _MOST_UIDS])
        connection.execute(update(table).where(some).values(removed_at=now))
