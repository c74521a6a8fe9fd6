"""Leaving out of the index what has no bytes any more, and counting what is left."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from node.adapters.database.index.store import Index
from node.adapters.database.index.tables import attributes, file, follow, instance, prepared, request, series, study
from node.adapters.database.removals import Gone
from node.core.dicomweb.attributes import Level

REMOVALS = "removals"  # their source, in `follow`
_MOST_UIDS = 500  # in one statement
_BITS = 62  # of a number that is never the same twice


def forget(index: Index, gone: Sequence[Gone]) -> None:
    """Leave out what has no bytes any more."""
    with index.transaction() as connection:
        _forget_all(connection, gone)


def not_entered(index: Index, there: Mapping[str, str]) -> set[str]:
    """SOP Instance UID → path: those that are not in the index, or from another file."""
    with index.reading() as connection:
        return _not_entered(connection, there)


def follow_removals(index: Index, gone: Sequence[Gone], after: int, last: int, there: Mapping[str, str]) -> None:
    """Leave out what was removed behind number `after`, up to `last`. Nothing is done where others have gone on.

    `there`: SOP Instance UID → path of what came again. Where one is not in the index, since somebody entered the file
    before it in this very moment, it does not go on: whoever looks again finds it.
    """
    mine = follow.c.source == REMOVALS
    with index.transaction() as connection:
        # To the end of the transaction: who adds meanwhile comes before it and is seen, or after it and goes back.
        if connection.scalar(select(follow.c.number).where(mine).with_for_update()) == after:
            _forget_all(connection, gone)
            if not _not_entered(connection, there):
                connection.execute(update(follow).where(mine).values(number=last))


def forget_keys(connection: Connection, keys: Sequence[int]) -> None:
    """Leave out these instances, and series and studies that are empty without them."""
    touched = list(connection.scalars(select(instance.c.series_key).where(instance.c.id.in_(keys)).distinct()))
    studies = list(connection.scalars(select(series.c.study_key).where(series.c.id.in_(touched)).distinct()))
    _drop(connection, Level.INSTANCE, keys, (file.c.instance_key, instance.c.id))
    count_series(connection, touched)
    empty = list(connection.scalars(select(series.c.id).where(series.c.id.in_(touched), series.c.instance_count == 0)))
    _drop(connection, Level.SERIES, empty, (request.c.series_key, prepared.c.series_key, series.c.id))
    count_studies(connection, studies)
    left = set(connection.scalars(select(series.c.study_key).where(series.c.study_key.in_(studies))))
    _drop(connection, Level.STUDY, [key for key in studies if key not in left], (study.c.id,))


def count_series(connection: Connection, keys: Sequence[int]) -> None:
    """Of series that something came to or went from."""
    mine = instance.c.series_key == series.c.id
    count = select(func.count()).select_from(instance).where(mine).scalar_subquery()
    # Not the highest key: SQLite gives that of what was left out to what comes next.
    changed = secrets.randbits(_BITS)
    connection.execute(update(series).where(series.c.id.in_(keys)).values(instance_count=count, newest=changed))


def count_studies(connection: Connection, studies: Iterable[int]) -> None:
    """Counts and ModalitiesInStudy, of what is not superseded."""
    found: dict[int, list[Any]] = {key: [] for key in studies}
    shown = select(series.c.study_key, series.c.modality, series.c.instance_count).where(
        series.c.study_key.in_(found), ~series.c.superseded
    )
    for row in connection.execute(shown):
        found[row.study_key].append(row)
    for key, rows in found.items():
        names = sorted({row.modality for row in rows if row.modality})
        connection.execute(
            update(study)
            .where(study.c.id == key)
            .values(
                series_count=len(rows),
                instance_count=sum(row.instance_count for row in rows),
                modalities="\\".join(["", *names, ""]) if names else "",
            )
        )


def _forget_all(connection: Connection, gone: Sequence[Gone]) -> None:
    for at in range(0, len(gone), _MOST_UIDS):
        some = {(one.sop_instance_uid, one.store, one.path) for one in gone[at : at + _MOST_UIDS]}
        uid = instance.c.sop_instance_uid
        there = select(uid, file.c.store, file.c.path, instance.c.id).join(file, file.c.instance_key == instance.c.id)
        rows = connection.execute(there.where(uid.in_({one[0] for one in some}))).all()
        if keys := [row.id for row in rows if tuple(row[:3]) in some]:
            forget_keys(connection, keys)


def _not_entered(connection: Connection, there: Mapping[str, str]) -> set[str]:
    uids = list(there)
    found: dict[str, str] = {}
    uid = instance.c.sop_instance_uid
    for at in range(0, len(uids), _MOST_UIDS):
        wanted = select(uid, file.c.path).join(file, file.c.instance_key == instance.c.id)
        found |= {row[0]: row[1] for row in connection.execute(wanted.where(uid.in_(uids[at : at + _MOST_UIDS])))}
    return {uid for uid, path in there.items() if found.get(uid) != path}


def _drop(connection: Connection, level: Level, keys: Sequence[int], columns: Sequence[Any]) -> None:
    mine = (attributes.c.level == level.value) & attributes.c.key.in_(keys)
    connection.execute(delete(attributes).where(mine))
    for column in columns:
        connection.execute(delete(column.table).where(column.in_(keys)))
