"""The ledger's balance, counted from the rows, for the whole node or one study."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Subquery, case, func, select, true

from node.adapters.database.engine import Database
from node.adapters.database.tables import instance, job, receipt, series
from node.core.ledger import Balance, Disposition
from node.core.states import OPEN_JOBS, JobState, SeriesState
from node.core.status import SUCCESS

_TWICE = (Disposition.DUPLICATE, Disposition.CORRECTED)  # lines whose instance an earlier line brought
_BAD = (JobState.FAILED, JobState.NOT_PROCESSABLE, JobState.CANCELED)


def balance(database: Database, study_instance_uid: str | None = None) -> Balance:
    """Where every acknowledged instance is. What is received and where it is are counted from different tables."""
    with database.reading() as connection:
        received = _receipts(connection, study_instance_uid)
        places = _places(connection, study_instance_uid)
    return Balance(
        received=sum(received.values()),
        delivered=places.get("delivered", 0),
        filtered=places.get("filtered", 0) + sum(received.get(one, 0) for one in _TWICE),
        waiting=places.get("waiting", 0),
        held=places.get("held", 0) + received.get(Disposition.CONFLICT, 0),
        failed=places.get("failed", 0),
    )


def _receipts(connection: Connection, study: str | None) -> dict[str, int]:
    rows = connection.execute(
        select(receipt.c.disposition, func.count())
        .where(receipt.c.status == SUCCESS, _of(receipt.c.study_instance_uid, study))
        .group_by(receipt.c.disposition)
    )
    return {str(disposition): int(number) for disposition, number in rows}


def _places(connection: Connection, study: str | None) -> dict[str, int]:
    jobs = _jobs_per_series(study)
    open_jobs, held_jobs, bad_jobs = (func.coalesce(jobs.c[name], 0) for name in ("open", "held", "bad"))
    place = case(
        (series.c.state == SeriesState.WAITING, "waiting"),
        (series.c.state == SeriesState.HELD, "held"),
        (series.c.state.in_((SeriesState.FILTERED, SeriesState.DISMISSED)), "filtered"),
        (open_jobs > 0, "waiting"),
        (bad_jobs > 0, "failed"),
        (held_jobs > 0, "held"),
        (func.coalesce(jobs.c.done, 0) > 0, "delivered"),
        (func.coalesce(jobs.c.dismissed, 0) > 0, "filtered"),
        else_="lost",  # routed without a job: shows as residue
    )
    rows = connection.execute(
        select(place, func.count())
        .select_from(
            instance.join(series, series.c.series_instance_uid == instance.c.series_instance_uid).outerjoin(
                jobs, jobs.c.series_instance_uid == series.c.series_instance_uid
            )
        )
        .where(_of(instance.c.study_instance_uid, study))
        .group_by(place)
    )
    return {str(name): int(number) for name, number in rows}


def _jobs_per_series(study: str | None) -> Subquery:
    """How many jobs of each kind work on the present version of each series."""
    mine = select(series.c.series_instance_uid).where(series.c.study_instance_uid == study)

    def number(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((condition, 1), else_=0))

    return (
        select(
            job.c.series_instance_uid,
            number(job.c.state.in_(OPEN_JOBS)).label("open"),
            number(job.c.state == JobState.HELD).label("held"),
            number(job.c.state.in_(_BAD)).label("bad"),
            number(job.c.state == JobState.COMPLETED).label("done"),
            number(job.c.state == JobState.DISMISSED).label("dismissed"),
        )
        .where(job.c.state != JobState.SUPERSEDED, true() if study is None else job.c.series_instance_uid.in_(mine))
        .group_by(job.c.series_instance_uid)
        .subquery()
    )


def _of(column: ColumnElement[str], study: str | None) -> ColumnElement[bool]:
    return true() if study is None else column == study
