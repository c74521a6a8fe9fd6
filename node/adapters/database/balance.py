"""The ledger's balance, counted from the rows, for the whole node or one study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Subquery, case, func, select, true

from node.adapters.database.chains import names
from node.adapters.database.engine import Database
from node.adapters.database.tables import instance, job, receipt, series
from node.core.ledger import Balance, Disposition
from node.core.states import OPEN_JOBS, JobState, SeriesState
from node.core.status import SUCCESS

_TWICE = (Disposition.DUPLICATE, Disposition.CORRECTED)  # lines whose instance an earlier line brought
_BAD = (JobState.FAILED, JobState.NOT_PROCESSABLE, JobState.CANCELED)


@dataclass(frozen=True)
class Lines:
    """The lines of the ledger that were acknowledged, by what became of them, and how far each chain was counted."""

    numbers: Mapping[str, int]  # disposition → lines
    until: Mapping[str, int]  # chain → number of its last line


def balance(database: Database, study_instance_uid: str | None = None) -> Balance:
    """Where every acknowledged instance is. What is received and where it is are counted from different tables."""
    with database.reading() as connection:
        received = _received(connection, _of(receipt.c.study_instance_uid, study_instance_uid))
        places = _places(connection, study_instance_uid)
    return _balance(received, places)


def balance_after(database: Database, before: Lines | None) -> tuple[Balance, Lines]:
    """The same of the whole node, where lines that were counted before are not looked at again: none is ever changed.
    And all lines by now. None: all are looked at.
    """
    with database.reading() as connection:
        lines = _lines(connection, before)
        places = _places(connection, None)
    return _balance(lines.numbers, places), lines


def _balance(received: Mapping[str, int], places: Mapping[str, int]) -> Balance:
    return Balance(
        received=sum(received.values()),
        delivered=places.get("delivered", 0),
        filtered=places.get("filtered", 0) + sum(received.get(one, 0) for one in _TWICE),
        waiting=places.get("waiting", 0),
        held=places.get("held", 0) + received.get(Disposition.CONFLICT, 0),
        failed=places.get("failed", 0),
    )


def _lines(connection: Connection, before: Lines | None) -> Lines:
    last = select(func.max(receipt.c.number))
    until = {chain: int(connection.scalar(last.where(receipt.c.chain == chain)) or 0) for chain in names(connection)}
    if before is None:
        return Lines(_received(connection, true()), until)
    numbers = Counter(before.numbers)
    for chain in until:
        numbers += _received(connection, receipt.c.chain == chain, receipt.c.number > before.until.get(chain, 0))
    return Lines(numbers, until)


def _received(connection: Connection, *such: ColumnElement[bool]) -> Counter[str]:
    rows = connection.execute(
        select(receipt.c.disposition, func.count())
        .where(receipt.c.status == SUCCESS, *such)
        .group_by(receipt.c.disposition)
    )
    return Counter({str(disposition): int(number) for disposition, number in rows})


def _places(connection: Connection, study: str | None) -> dict[str, int]:
    each = instance.c.series_instance_uid
    number = func.count().label("number")
    # Of each series first, along an index: a series is looked up once, however many instances it has.
    counted = select(each, number).where(_of(instance.c.study_instance_uid, study)).group_by(each).subquery()
    jobs = _jobs_per_series(study)
    place = case(
        (series.c.state == SeriesState.WAITING, "waiting"),
        (series.c.state == SeriesState.HELD, "held"),
        (series.c.state.in_((SeriesState.FILTERED, SeriesState.DISMISSED)), "filtered"),
        *((jobs.c.first == order, name) for order, (_, name) in enumerate(_JOBS)),
        else_="lost",  # routed without a job: shows as residue
    )
    of = counted.join(series, series.c.series_instance_uid == counted.c.series_instance_uid)
    rows = connection.execute(
        select(place, func.sum(counted.c.number))
        .select_from(of.outerjoin(jobs, jobs.c.series_instance_uid == series.c.series_instance_uid))
        .group_by(place)
    )
    return {str(name): int(total) for name, total in rows}


# What the jobs on the present version of a series make of it: the first of these that one of them is in.
_JOBS: tuple[tuple[Collection[JobState], str], ...] = (
    (OPEN_JOBS, "waiting"),
    (_BAD, "failed"),
    ((JobState.HELD,), "held"),
    ((JobState.COMPLETED,), "delivered"),
    ((JobState.DISMISSED,), "filtered"),
)


def _jobs_per_series(study: str | None) -> Subquery:
    mine = select(series.c.series_instance_uid).where(series.c.study_instance_uid == study)
    order = case(*((job.c.state.in_(states), order) for order, (states, _) in enumerate(_JOBS)), else_=len(_JOBS))
    return (
        select(job.c.series_instance_uid, func.min(order).label("first"))
        .where(job.c.state != JobState.SUPERSEDED, true() if study is None else job.c.series_instance_uid.in_(mine))
        .group_by(job.c.series_instance_uid)
        .subquery()
    )


def _of(column: ColumnElement[str], study: str | None) -> ColumnElement[bool]:
    return true() if study is None else column == study
