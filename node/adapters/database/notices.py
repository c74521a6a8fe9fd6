"""Notices: causes, who was told what of them, and whether those who are told can be reached. One transaction each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from node.adapters.database.engine import Database
from node.adapters.database.notice_tables import alarm, alarm_told, listener, lost_process, message
from node.adapters.database.routing_tables import notice
from node.adapters.database.tables import job, series
from node.core.breaker import CLOSED, Breaker
from node.core.notices import NEVER, Alarm, Kind, Severity, Sighting, Told, acknowledged, caught_up, ended, seen
from node.core.states import JobState, SeriesState

MESSAGES_KEPT = timedelta(days=90)
_RULE_LASTS = timedelta(days=7)  # without another notice of it a rule's cause is over
_LOST_LASTS = timedelta(days=1)
_AT_ONCE = 500  # notices of rules that are gathered together
_STAT = 0  # rank of a job


@dataclass(frozen=True)
class Sent:
    """A message that somebody took."""

    at: datetime
    alarm_id: int
    listener: str
    what: str
    subject: str


@dataclass(frozen=True)
class Reach:
    """Whether somebody who is told can be reached."""

    name: str
    breaker: Breaker
    sent: int
    last_sent_at: datetime | None


def sighted(database: Database, sightings: Sequence[Sighting], now: datetime) -> None:
    """What is wrong now: causes begin, go on, and end. Those of rules are left alone, but for old ones."""
    with database.transaction() as connection:
        known = {row.cause: _read(row) for row in connection.execute(select(alarm).with_for_update())}
        for one in sightings:
            before = known.get(one.cause)
            if before is None:
                connection.execute(insert(alarm).values(**_begun(one, now)))
            else:
                _write(connection, seen(before, one, now))
        there = {one.cause for one in sightings}
        for cause, before in known.items():
            over = now - before.last_at > _RULE_LASTS if before.kind is Kind.RULE else cause not in there
            if before.is_open and over:
                _write(connection, ended(before, now))


def gather(database: Database, now: datetime) -> int:
    """Put what rules said, and nobody was told, under their causes; how many notices that was."""
    with database.transaction() as connection:
        nobodys = (notice.c.alarm_id.is_(None), notice.c.place.is_(None))
        wanted = select(notice).where(notice.c.sent_at.is_(None), *nobodys)
        rows = connection.execute(wanted.order_by(notice.c.id).limit(_AT_ONCE)).all()
        for row in rows:
            found = _of_rule(connection, row, now)
            place = found.number + 1
            stat = _is_stat(connection, row)
            severity = Severity.CRITICAL if stat else Severity.INFO
            sighting = Sighting(Kind.RULE, row.rule, severity, row.text or f"the rule {row.rule} matched", place)
            _write(connection, seen(found, sighting, now))
            values = {"alarm_id": found.id, "place": place}
            connection.execute(update(notice).where(notice.c.id == row.id).values(**values))
        return len(rows)


def open_or_told(database: Database) -> list[tuple[Alarm, dict[str, Told]]]:
    """Alarms that somebody may have to be told of, with what each was told: open ones, and those that somebody still
    believes to be open."""
    with database.reading() as connection:
        believed = select(alarm_told.c.alarm_id).where(alarm_told.c.is_open == 1)
        wanted = select(alarm).where(alarm.c.ended_at.is_(None) | alarm.c.id.in_(believed)).order_by(alarm.c.id)
        alarms = [_read(row) for row in connection.execute(wanted)]
        told: dict[int, dict[str, Told]] = {one.id: {} for one in alarms}
        for row in connection.execute(select(alarm_told).where(alarm_told.c.alarm_id.in_(told))):
            told[row.alarm_id][row.listener] = _told(row)
    return [(one, {name: caught_up(each, one) for name, each in told[one.id].items()}) for one in alarms]


def note_told(database: Database, about: Alarm, name: str, told: Told, what: str, subject: str) -> None:
    """Somebody took a message: what he knows now."""
    with database.transaction() as connection:
        mine = (alarm_told.c.alarm_id == about.id) & (alarm_told.c.listener == name)
        values: dict[str, Any] = {
            "messages": told.messages,
            "is_open": int(told.is_open),
            "number": told.number,
            "severity": told.severity,
            "at": told.at,
        }
        if not connection.execute(update(alarm_told).where(mine).values(**values)).rowcount:
            connection.execute(insert(alarm_told).values(alarm_id=about.id, listener=name, **values))
        row = {"at": told.at, "alarm_id": about.id, "listener": name, "what": what, "subject": subject}
        connection.execute(insert(message).values(**row))
        if about.kind is Kind.RULE:
            _note_rules(connection, about, told.at)
        reached = update(listener).where(listener.c.name == name)
        if not connection.execute(
            reached.values(
                failures=0,
                since=None,
                next_try_at=None,
                reason="",
                sent=listener.c.sent + 1,
                last_sent_at=told.at,
            )
        ).rowcount:
            connection.execute(insert(listener).values(**{**_unheard(name), "sent": 1, "last_sent_at": told.at}))
        if told.at is not None:
            connection.execute(delete(message).where(message.c.at < told.at - MESSAGES_KEPT))


def reaches(database: Database) -> dict[str, Reach]:
    """Everybody who was ever tried."""
    with database.reading() as connection:
        return {
            row.name: Reach(
                row.name, Breaker(row.failures, row.since, row.next_try_at, row.reason), row.sent, row.last_sent_at
            )
            for row in connection.execute(select(listener))
        }


def note_failure(database: Database, name: str, after: Callable[[Breaker], Breaker]) -> Breaker:
    """Somebody could not be reached: his breaker's next state."""
    with database.transaction() as connection:
        row = connection.execute(select(listener).where(listener.c.name == name)).first()
        before = Breaker(row.failures, row.since, row.next_try_at, row.reason) if row else CLOSED
        found = after(before)
        values = {key: getattr(found, key) for key in ("failures", "since", "next_try_at", "reason")}
        if row:
            connection.execute(update(listener).where(listener.c.name == name).values(**values))
        else:
            connection.execute(insert(listener).values(**{**_unheard(name), **values}))
        return found


def page(database: Database, before: int | None, most: int, *, only_open: bool = False) -> list[Alarm]:
    """Causes, the newest first."""
    wanted = select(alarm).order_by(alarm.c.id.desc()).limit(most)
    if before is not None:
        wanted = wanted.where(alarm.c.id < before)
    if only_open:
        wanted = wanted.where(alarm.c.ended_at.is_(None))
    with database.reading() as connection:
        return [_read(row) for row in connection.execute(wanted)]


def get(database: Database, alarm_id: int) -> Alarm | None:
    with database.reading() as connection:
        row = connection.execute(select(alarm).where(alarm.c.id == alarm_id)).first()
        return _read(row) if row else None


def acknowledge(database: Database, alarm_id: int, by: str, now: datetime) -> Alarm | None:
    """Somebody knows. None when there is no such cause."""
    with database.transaction() as connection:
        row = connection.execute(select(alarm).where(alarm.c.id == alarm_id).with_for_update()).first()
        if row is None:
            return None
        found = acknowledged(_read(row), by, now)
        _write(connection, found)
        return found


def messages(database: Database, alarm_id: int | None = None, most: int = 50) -> list[Sent]:
    """What was sent last, the newest first."""
    wanted = select(message).order_by(message.c.id.desc()).limit(most)
    if alarm_id is not None:
        wanted = wanted.where(message.c.alarm_id == alarm_id)
    with database.reading() as connection:
        return [Sent(row.at, row.alarm_id, row.listener, row.what, row.subject) for row in connection.execute(wanted)]


def open_by_severity(database: Database) -> dict[str, int]:
    """Severity → open causes that nobody acknowledged or paused."""
    wanted = (
        select(alarm.c.severity, func.count())
        .where(alarm.c.ended_at.is_(None), alarm.c.acknowledged_at.is_(None), alarm.c.known == 0)
        .group_by(alarm.c.severity)
    )
    with database.reading() as connection:
        return {str(severity): int(number) for severity, number in connection.execute(wanted)}


def unsent(database: Database) -> int:
    """Notices of rules that nobody was told of yet."""
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(notice).where(notice.c.sent_at.is_(None))) or 0


def accession_numbers(database: Database, alarm_id: int, after: int, most: int) -> list[str]:
    """Of the series behind a rule's notices that came after place `after`."""
    wanted = (
        select(series.c.accession_number)
        .join(notice, notice.c.series_instance_uid == series.c.series_instance_uid)
        .where(notice.c.alarm_id == alarm_id, notice.c.place > after, series.c.accession_number != "")
        .order_by(notice.c.place)
        .limit(most)
    )
    with database.reading() as connection:
        return list(dict.fromkeys(connection.scalars(wanted)))


def held(database: Database) -> int:
    """Series and results that wait for a person."""
    with database.reading() as connection:
        waiting = select(func.count()).select_from(series).where(series.c.state == SeriesState.HELD)
        results = select(func.count()).select_from(job).where(job.c.state == JobState.HELD)
        return (connection.scalar(waiting) or 0) + (connection.scalar(results) or 0)


def lost_processes(database: Database, now: datetime) -> list[tuple[str, str]]:
    """(process, role) of those that were given up, and that no other of their role took the place of yet."""
    with database.reading() as connection:
        wanted = select(lost_process).where(lost_process.c.at > now - _LOST_LASTS).order_by(lost_process.c.at)
        return [(row.id, row.role) for row in connection.execute(wanted)]


def _of_rule(connection: Connection, row: Row[Any], now: datetime) -> Alarm:
    """The cause of a rule's notice: the rule, and whom it tells."""
    names = sorted(set(row.recipients))
    name = f"{row.rule} → {', '.join(names)}"
    cause = f"{Kind.RULE}:{name}"
    found = connection.execute(select(alarm).where(alarm.c.cause == cause).with_for_update()).first()
    if found is None:
        begun = _begun(Sighting(Kind.RULE, name, Severity.INFO, "", 0), now)
        connection.execute(insert(alarm).values(**{**begun, "recipients": names}))
        found = connection.execute(select(alarm).where(alarm.c.cause == cause)).one()
    return _read(found)


def _is_stat(connection: Connection, row: Row[Any]) -> bool:
    """Whether the series has a stat job: its notices do not wait for the morning."""
    mine = (job.c.series_instance_uid == row.series_instance_uid) & (job.c.version == row.version)
    return bool(connection.scalar(select(func.min(job.c.rank)).where(mine)) == _STAT)


def _note_rules(connection: Connection, about: Alarm, at: datetime | None) -> None:
    """Notices of rules count as sent once everybody was told whom the rule names."""
    rows = connection.execute(select(alarm_told).where(alarm_told.c.alarm_id == about.id)).all()
    told = {row.listener: row.number for row in rows}
    everybody = min((told.get(name, 0) for name in about.recipients), default=0)
    mine = (notice.c.alarm_id == about.id) & (notice.c.place <= everybody) & notice.c.sent_at.is_(None)
    connection.execute(update(notice).where(mine).values(sent_at=at))


def _begun(one: Sighting, now: datetime) -> Mapping[str, object]:
    return {
        "cause": one.cause,
        "kind": one.kind,
        "name": one.name,
        "severity": one.severity,
        "what": one.what,
        "number": one.number,
        "known": int(one.known),
        "recipients": [],
        "first_at": now,
        "last_at": now,
        "acknowledged_by": "",
        "acknowledged_number": 0,
        "acknowledged_severity": Severity.INFO,
    }


def _unheard(name: str) -> dict[str, Any]:
    return {"name": name, "failures": 0, "since": None, "next_try_at": None, "reason": "", "sent": 0}


_WRITTEN = (
    "severity", "what", "number", "first_at", "last_at", "ended_at", "acknowledged_at", "acknowledged_by",
    "acknowledged_number", "acknowledged_severity",
)  # fmt: skip


def _write(connection: Connection, one: Alarm) -> None:
    values = {name: getattr(one, name) for name in _WRITTEN} | {"known": int(one.known)}
    connection.execute(update(alarm).where(alarm.c.id == one.id).values(**values))


def _read(row: Row[Any]) -> Alarm:
    return Alarm(
        id=row.id,
        kind=Kind(row.kind),
        name=row.name,
        severity=Severity(row.severity),
        what=row.what,
        number=row.number,
        first_at=row.first_at,
        last_at=row.last_at,
        known=bool(row.known),
        ended_at=row.ended_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_number=row.acknowledged_number,
        acknowledged_severity=Severity(row.acknowledged_severity),
        recipients=tuple(row.recipients),
    )


def _told(row: Row[Any]) -> Told:
    return Told(row.messages, bool(row.is_open), row.number, Severity(row.severity), row.at)


__all__ = [
    "NEVER", "Reach", "Sent", "accession_numbers", "acknowledge", "gather", "get", "held", "lost_processes", "messages",
    "note_failure", "note_told", "open_by_severity", "open_or_told", "page", "reaches", "sighted", "unsent",
]  # fmt: skip
