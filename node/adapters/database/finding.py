"""Series that people look for, the newest first, a page at a time: by what they know of them.

Each way of looking is one query along an index that has the order of the answer, so that a page costs the same however
many series there are.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, intersect, or_, select

from node.adapters.database.engine import Database
from node.adapters.database.tables import instance, job, name_word, result, series
from node.core.dicomweb.names import wanted
from node.core.states import JobState

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_FEW = 500  # studies of one name that are looked up; of more, the newest series are looked through
_MOST_WORDS = 8
_LAST = "\U0010ffff"  # no word of a name holds it


@dataclass(frozen=True)
class After:
    """Where a page begins: behind this series."""

    first_at: datetime
    series_instance_uid: str


@dataclass(frozen=True)
class JobMark:
    """A job in one line."""

    id: int
    model: str
    state: str
    stage: str | None
    overdue: bool


@dataclass(frozen=True)
class Found:
    """A series in one line."""

    series_instance_uid: str
    study_instance_uid: str
    state: str
    reason: str
    version: int
    modality: str
    series_description: str
    patient_name: str
    patient_id: str
    accession_number: str
    study_date: str
    study_description: str
    calling_ae: str
    first_at: datetime
    last_at: datetime
    completed_at: datetime | None
    removed_at: datetime | None
    jobs: tuple[JobMark, ...] = ()  # without those that a newer version replaced


def page(
    database: Database, text: str, after: After | None = None, most: int = 50, *, patients: bool = True
) -> list[Found]:
    """Series whose accession number, patient ID or a UID is `text`, or whose patient's name has words that begin so;
    every series for "". Also the UID of an image, or of a result and its series.

    Without `patients`: by UID only, for who may not see whom a series shows.
    """
    with database.reading() as connection:
        rows = _rows(connection, text.strip(), after, most, patients=patients)
        jobs = _jobs(connection, [row.series_instance_uid for row in rows])
        return [_found(row, jobs) for row in rows]


def uids(connection: Connection, text: str, most: int) -> list[str]:
    """Their SeriesInstanceUIDs."""
    return [row.series_instance_uid for row in _rows(connection, text.strip(), None, most, patients=True)]


def of(connection: Connection, column: ColumnElement[str], text: str, *, patients: bool = True) -> ColumnElement[bool]:
    """Whether the series whose UID stands in a column of another table is one that `text` asks for."""
    exact = or_(*(known == text for known in (_EXACT if patients else _NOBODYS)))
    if not patients or not (named := _named(text)):
        return column.in_(select(series.c.series_instance_uid).where(exact))
    few = connection.scalars(intersect(*named).limit(_FEW + 1)).all()
    if len(few) <= _FEW:
        asked = exact | series.c.study_instance_uid.in_(few)
        return column.in_(select(series.c.series_instance_uid).where(asked))
    return exists().where(series.c.series_instance_uid == column, exact | _is_named(text))


_EXACT = (
    series.c.accession_number,
    series.c.patient_id,
    series.c.series_instance_uid,
    series.c.study_instance_uid,
)
_NOBODYS = (series.c.accession_number, series.c.series_instance_uid, series.c.study_instance_uid)
_OF_UIDS = (series.c.series_instance_uid, series.c.study_instance_uid)
_SHOWN = tuple(series.c[name] for name in Found.__dataclass_fields__ if name != "jobs")


def _rows(connection: Connection, text: str, after: After | None, most: int, *, patients: bool) -> list[Row[Any]]:
    ways = _ways(connection, text, patients=patients) if text else [None]
    newest_first = (list(connection.execute(_newest(way, after, most))) for way in ways)
    merged = heapq.merge(*newest_first, key=_place, reverse=True)
    return [next(iter(same)) for _, same in groupby(merged, key=_place)][:most]


def _place(row: Row[Any]) -> tuple[datetime, str]:
    return row.first_at, row.series_instance_uid


def _newest(way: ColumnElement[bool] | None, after: After | None, most: int) -> Select[Any]:
    asked = select(*_SHOWN).order_by(series.c.first_at.desc(), series.c.series_instance_uid.desc()).limit(most)
    if way is not None:
        asked = asked.where(way)
    if after is not None:
        behind = (series.c.first_at < after.first_at) | (series.c.series_instance_uid < after.series_instance_uid)
        asked = asked.where(series.c.first_at <= after.first_at, behind)
    return asked


def _ways(connection: Connection, text: str, *, patients: bool) -> Iterator[ColumnElement[bool]]:
    for column in _EXACT if patients else _OF_UIDS:
        yield column == text
    if _UID.fullmatch(text):
        yield from _through(connection, text)
    elif patients and (named := _named(text)):
        few = connection.scalars(intersect(*named).limit(_FEW + 1)).all()
        if len(few) <= _FEW:
            yield series.c.study_instance_uid.in_(few)
        else:
            yield _is_named(text)


def _through(connection: Connection, uid: str) -> Iterator[ColumnElement[bool]]:
    """The series of an image, and the one that a result was made of."""
    of_image = select(instance.c.series_instance_uid).where(instance.c.sop_instance_uid == uid)
    of_result = (
        select(job.c.series_instance_uid)
        .join(result, result.c.job_id == job.c.id)
        .where(or_(result.c.sop_instance_uid == uid, result.c.series_instance_uid == uid))
        .limit(_FEW)
    )
    found = {*connection.scalars(of_image), *connection.scalars(of_result)}
    if found:
        yield series.c.series_instance_uid.in_(sorted(found))


def _words(text: str) -> tuple[tuple[str, ...], ...]:
    return wanted(text)[:_MOST_WORDS]


def _is_named(text: str) -> ColumnElement[bool]:
    mine = name_word.c.study_instance_uid == series.c.study_instance_uid
    return and_(*(exists().where(mine, _begins(word)) for word in _words(text)))


def _named(text: str) -> list[Select[Any]]:
    """For each word, the studies of patients with such a word in their names."""
    return [select(name_word.c.study_instance_uid).where(_begins(word)).distinct() for word in _words(text)]


def _begins(spellings: Sequence[str]) -> ColumnElement[bool]:
    return or_(*((name_word.c.word >= one) & (name_word.c.word < one + _LAST) for one in spellings))


def _jobs(connection: Connection, found: Sequence[str]) -> dict[str, list[JobMark]]:
    jobs: dict[str, list[JobMark]] = {uid: [] for uid in found}
    columns = (job.c.id, job.c.series_instance_uid, job.c.model, job.c.state, job.c.stage, job.c.overdue)
    mine = select(*columns).where(job.c.series_instance_uid.in_(found), job.c.state != JobState.SUPERSEDED)
    for row in connection.execute(mine.order_by(job.c.id)) if found else ():
        jobs[row.series_instance_uid].append(JobMark(row.id, row.model, row.state, row.stage, bool(row.overdue)))
    return jobs


def _found(row: Row[Any], jobs: dict[str, list[JobMark]]) -> Found:
    return Found(**row._mapping, jobs=tuple(jobs[row.series_instance_uid]))
