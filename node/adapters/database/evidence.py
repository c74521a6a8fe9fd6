"""What others say about series: performed procedure steps, and what protocols had before."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from node.adapters.database.engine import Database
from node.adapters.database.service_tables import mpps, performed_series, protocol_count
from node.adapters.database.tables import series
from node.core.fault import Fault
from node.core.procedure_step import Step, StepState, refuse_create, refuse_set
from node.core.states import SeriesState


def create_step(database: Database, uid: str, step: Step, *, calling_ae: str, at: datetime) -> Fault | None:
    """Keep a new performed procedure step, or say why not."""
    try:
        with database.transaction() as connection:
            refused = refuse_create(uid, step, exists=_state(connection, uid) is not None)
            if refused is None:
                row = {"sop_instance_uid": uid, "state": step.state, "calling_ae": calling_ae}
                connection.execute(insert(mpps), {**row, "created_at": at, "changed_at": at})
                _write_series(connection, uid, step)
            return refused
    except IntegrityError:  # another replica was given the same one at the same moment
        return refuse_create(uid, step, exists=True)


def set_step(database: Database, uid: str, step: Step, *, at: datetime) -> Fault | None:
    """Change a performed procedure step, or say why not."""
    with database.transaction() as connection:
        refused = refuse_set(step, _state(connection, uid))
        if refused is None:
            state = {"state": step.state} if step.state else {}
            connection.execute(update(mpps).where(mpps.c.sop_instance_uid == uid).values(changed_at=at, **state))
            _write_series(connection, uid, step)
        return refused


def _state(connection: Connection, uid: str) -> str | None:
    found: str | None = connection.scalar(select(mpps.c.state).where(mpps.c.sop_instance_uid == uid).with_for_update())
    return found


def _write_series(connection: Connection, uid: str, step: Step) -> None:
    """A sequence that is sent replaces the one before as a whole (PS3.4 F.7.2.2.2)."""
    if step.series is None:
        return
    connection.execute(delete(performed_series).where(performed_series.c.mpps == uid))
    rows = [
        {"mpps": uid, "series_instance_uid": one, "sop_instance_uids": list(instances)}
        for one, instances in step.series.items()
    ]
    if rows:
        connection.execute(insert(performed_series), rows)


def step_series(database: Database, uid: str) -> list[str]:
    """The series of a performed procedure step."""
    with database.reading() as connection:
        return list(
            connection.scalars(select(performed_series.c.series_instance_uid).where(performed_series.c.mpps == uid))
        )


def reported_instances(database: Database, series_instance_uid: str) -> frozenset[str] | None:
    """The instances that COMPLETED steps list for a series; None while a step on it goes on, or when none lists any."""
    wanted = (
        select(mpps.c.state, performed_series.c.sop_instance_uids)
        .join(mpps, performed_series.c.mpps == mpps.c.sop_instance_uid)
        .where(performed_series.c.series_instance_uid == series_instance_uid)
    )
    with database.reading() as connection:
        steps = connection.execute(wanted).all()
    if any(step.state == StepState.IN_PROGRESS for step in steps):
        return None
    listed = frozenset(uid for step in steps if step.state == StepState.COMPLETED for uid in step.sop_instance_uids)
    return listed or None


def look_now(database: Database, series_instance_uids: Iterable[str], now: datetime) -> bool:
    """Have waiting series looked at at once: something new is known of them. Whether any waits."""
    mine = series.c.series_instance_uid.in_(list(series_instance_uids)) & (series.c.state == SeriesState.WAITING)
    with database.transaction() as connection:
        return bool(connection.execute(update(series).where(mine).values(look_at=now)).rowcount)


def series_description(database: Database, series_instance_uid: str) -> str:
    with database.reading() as connection:
        wanted = select(series.c.series_description).where(series.c.series_instance_uid == series_instance_uid)
        return connection.scalar(wanted) or ""


def earlier_counts(database: Database, protocol: str, series_instance_uid: str, most: int) -> tuple[int, ...]:
    """How many instances the last series of a protocol had, without this one; the latest first."""
    wanted = (
        select(protocol_count.c.instances)
        .where(protocol_count.c.protocol == protocol, protocol_count.c.series_instance_uid != series_instance_uid)
        .order_by(protocol_count.c.at.desc())
        .limit(most)
    )
    with database.reading() as connection:
        return tuple(connection.scalars(wanted))


def note_count(database: Database, protocol: str, series_instance_uid: str, instances: int, at: datetime) -> None:
    """Keep how many instances a complete series had; a later version of the series replaces its count."""
    mine = protocol_count.c.series_instance_uid == series_instance_uid
    values = {"protocol": protocol, "instances": instances, "at": at}
    with database.transaction() as connection:
        if not connection.execute(update(protocol_count).where(mine).values(**values)).rowcount:
            connection.execute(insert(protocol_count), {"series_instance_uid": series_instance_uid, **values})
