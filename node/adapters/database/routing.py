"""What rules did to a series beside its jobs: tags, notices, and the series of one study that wait for each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from node.adapters.database.engine import Database
from node.adapters.database.routing_tables import job_series, notice, ready, tag
from node.adapters.database.tables import change, job, series
from node.core.states import SeriesState


@dataclass(frozen=True)
class Notice:
    """Something that people are to be told of a series."""

    rule: str
    recipients: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class StudyLine:
    """One series of a study, as far as it was received."""

    series_instance_uid: str
    modality: str
    series_description: str
    last_at: datetime
    complete: bool  # and no instance came since


def note(
    connection: Connection, uid: str, version: int, tags: Sequence[str], notices: Sequence[Notice], now: datetime
) -> None:
    """Write what was decided, within the transaction that settles the series; those that wait for it look again."""
    rows = [{"series_instance_uid": uid, "version": version, "tag": one} for one in tags]
    if rows:
        connection.execute(insert(tag), rows)
    told = [
        {
            "at": now,
            "series_instance_uid": uid,
            "version": version,
            "rule": one.rule,
            "recipients": list(one.recipients),
            "text": one.text,
        }
        for one in notices
    ]
    if told:
        connection.execute(insert(notice), told)
    connection.execute(delete(ready).where(ready.c.series_instance_uid == uid))
    _look_again(connection, uid, now)


def note_more(
    connection: Connection, uid: str, version: int, tags: Sequence[str], notices: Sequence[Notice], now: datetime
) -> None:
    """What a second decision says beyond the first: tags that are not there, notices of rules that gave none."""
    mine = (tag.c.series_instance_uid == uid) & (tag.c.version == version)
    tagged = set(connection.scalars(select(tag.c.tag).where(mine)))
    given = (notice.c.series_instance_uid == uid) & (notice.c.version == version)
    told = set(connection.scalars(select(notice.c.rule).where(given)))
    new = [one for one in notices if one.rule not in told]
    note(connection, uid, version, [one for one in tags if one not in tagged], new, now)


def note_inputs(connection: Connection, job_id: int, inputs: Sequence[tuple[str, str]]) -> None:
    """The series that a job works on, by need."""
    rows = [
        {"job_id": job_id, "need": need, "place": place, "series_instance_uid": uid}
        for place, (need, uid) in enumerate(inputs)
    ]
    if rows:
        connection.execute(insert(job_series), rows)


def inputs(database: Database, job_id: int) -> tuple[tuple[str, str], ...]:
    """(need, SeriesInstanceUID) in the order of the rule; empty for a job on one series."""
    with database.reading() as connection:
        return inputs_of(connection, job_id)


def inputs_of(connection: Connection, job_id: int) -> tuple[tuple[str, str], ...]:
    wanted = select(job_series.c.need, job_series.c.series_instance_uid).where(job_series.c.job_id == job_id)
    return tuple((row.need, row.series_instance_uid) for row in connection.execute(wanted.order_by(job_series.c.place)))


def note_used(database: Database, job_id: int, used: Mapping[str, int]) -> None:
    """How many instances of each of its series a job reads: more of them later make its result an old one."""
    with database.transaction() as connection:
        for uid, number in used.items():
            mine = (job_series.c.job_id == job_id) & (job_series.c.series_instance_uid == uid)
            connection.execute(update(job_series).where(mine).values(used=number))


def reopen_carriers(connection: Connection, uid: str, instances: int, now: datetime) -> None:
    """A series is complete with more instances than jobs of other series read of it: those series are decided anew,
    as a new version.

    What counts is how many instances there are, not a version: two series that are inputs of each other's jobs would
    reopen each other without end.
    """
    behind = (
        select(series.c.series_instance_uid, series.c.version, job_series.c.need)
        .join(job, (job.c.series_instance_uid == series.c.series_instance_uid) & (job.c.version == series.c.version))
        .join(job_series, job_series.c.job_id == job.c.id)
        .where(
            job_series.c.series_instance_uid == uid,
            job_series.c.used < instances,
            series.c.series_instance_uid != uid,
            series.c.state != SeriesState.WAITING,
            series.c.removed_at.is_(None),  # nothing could be made of it any more
        )
    )
    found = {row.series_instance_uid: row for row in connection.execute(behind).all()}
    for carrier, row in found.items():
        why = f"more of the {row.need} of its study came"
        connection.execute(
            update(series)
            .where(series.c.series_instance_uid == carrier, series.c.version == row.version)
            .values(
                state=SeriesState.WAITING,
                reason=why,
                version=row.version + 1,
                completed_at=None,
                evidence="",
                look_at=now,
                cause=None,
            )
        )
        told = {"at": now, "actor": "completion", "series_instance_uid": carrier, "state": SeriesState.WAITING}
        connection.execute(insert(change), {**told, "reason": why})


def await_study(
    database: Database, unchanged: ColumnElement[bool], uid: str, look_at: datetime, sentence: str, now: datetime
) -> None:
    """The series is complete and waits for others of its study. Nothing happens when an instance came meanwhile.

    The first time, those that wait already look again, and so does this one: another may have come between.
    """
    with database.transaction() as connection:
        row = connection.execute(select(series.c.version, series.c.last_at).where(unchanged)).first()
        if row is None:
            return
        again = connection.scalar(select(ready.c.version).where(_counts(), ready.c.series_instance_uid == uid))
        if again is None:
            connection.execute(delete(ready).where(ready.c.series_instance_uid == uid))
            mark = {"series_instance_uid": uid, "version": row.version, "last_at": row.last_at}
            connection.execute(insert(ready), mark)
            _look_again(connection, uid, now)
        values = {"look_at": now if again is None else look_at, "evidence": sentence}
        connection.execute(update(series).where(unchanged).values(**values))


def _look_again(connection: Connection, uid: str, now: datetime) -> None:
    study = select(series.c.study_instance_uid).where(series.c.series_instance_uid == uid).scalar_subquery()
    waiting = select(ready.c.series_instance_uid).where(ready.c.series_instance_uid != uid)
    connection.execute(
        update(series)
        .where(
            series.c.series_instance_uid.in_(waiting),
            series.c.study_instance_uid == study,
            series.c.state == SeriesState.WAITING,
        )
        .values(look_at=now)
    )


def _counts() -> ColumnElement[bool]:
    """Whether the series is as it was when it was found complete."""
    mine = select(series.c.series_instance_uid).where(
        series.c.series_instance_uid == ready.c.series_instance_uid,
        series.c.version == ready.c.version,
        series.c.last_at == ready.c.last_at,
    )
    return mine.exists()


def study(database: Database, study_instance_uid: str, limit: int = 1000) -> tuple[StudyLine, ...]:
    """The series of a study received so far, the first ones first."""
    waits = select(ready.c.series_instance_uid).where(
        _counts(), ready.c.series_instance_uid == series.c.series_instance_uid
    )
    wanted = (
        select(series, waits.exists().label("ready"))
        .where(series.c.study_instance_uid == study_instance_uid)
        .order_by(series.c.first_at, series.c.series_instance_uid)
        .limit(limit)
    )
    with database.reading() as connection:
        return tuple(
            StudyLine(
                row.series_instance_uid,
                row.modality,
                row.series_description,
                row.last_at,
                row.state != SeriesState.WAITING or bool(row.ready),
            )
            for row in connection.execute(wanted)
        )


def tags_of(connection: Connection, uid: str, version: int) -> tuple[str, ...]:
    """The tags of a version of a series."""
    mine = (tag.c.series_instance_uid == uid) & (tag.c.version == version)
    return tuple(connection.scalars(select(tag.c.tag).where(mine).order_by(tag.c.tag)))


def notices_of(connection: Connection, uid: str, version: int) -> tuple[Notice, ...]:
    """The notices of a version of a series, in the order of the rules."""
    mine = (notice.c.series_instance_uid == uid) & (notice.c.version == version)
    rows = connection.execute(select(notice).where(mine).order_by(notice.c.id))
    return tuple(Notice(row.rule, tuple(row.recipients), row.text) for row in rows)
