"""Entering instances into the index. What is there already stays as it is, so a batch may be entered twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Table, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from node.adapters.database.index.store import Index
from node.adapters.database.index.tables import attributes, file, follow, instance, prepared, request, series, study
from node.core.dicomweb.attributes import Level
from node.core.dicomweb.entry import Entry

_MOST_UIDS = 500  # in one statement


@dataclass(frozen=True)
class Addition:
    """An instance to enter."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    store: str  # instances, results
    path: str  # relative to the store
    sha256: str
    size: int
    place: Mapping[str, Any] | None
    document: bytes
    entry: Entry


def followed(index: Index) -> dict[str, int]:
    """Source → number of its last row that is in the index."""
    with index.reading() as connection:
        return {row.source: row.number for row in connection.execute(select(follow))}


def absent(index: Index, sop_instance_uids: Sequence[str]) -> set[str]:
    """Those that are not in the index."""
    with index.reading() as connection:
        return set(sop_instance_uids) - _known(connection, instance.c.sop_instance_uid, sop_instance_uids).keys()


def add(index: Index, source: str, number: int, added: Sequence[Addition]) -> None:
    """Enter a batch, and that `source` is in the index up to `number`."""
    with index.transaction() as connection:
        _add(connection, added)
        _follow(connection, source, number)


def supersede(index: Index, series_instance_uids: Collection[str]) -> None:
    """Hide these series from searches and from the retrieval of a study."""
    if not series_instance_uids:
        return
    with index.transaction() as connection:
        mine = series.c.series_instance_uid.in_(series_instance_uids)
        studies = list(connection.scalars(select(series.c.study_key).where(mine, ~series.c.superseded)))
        connection.execute(update(series).where(mine).values(superseded=True))
        _count(connection, studies)


def is_empty(index: Index) -> bool:
    """Whether no instance is in the index."""
    with index.reading() as connection:
        return connection.scalar(select(instance.c.id).limit(1)) is None


def forget(index: Index, gone: Sequence[tuple[str, str]], upto: tuple[str, int] | None = None) -> None:
    """Leave out what has no bytes any more, by store and path; `upto`: of which source, and up to which number."""
    with index.transaction() as connection:
        for at in range(0, len(gone), _MOST_UIDS):
            named = tuple_(file.c.store, file.c.path).in_(gone[at : at + _MOST_UIDS])
            _forget(connection, list(connection.scalars(select(file.c.instance_key).where(named))))
        if upto is not None:
            _follow(connection, *upto)


def _follow(connection: Connection, source: str, number: int) -> None:
    _ignoring(connection, follow, [{"source": source, "number": number}])
    connection.execute(update(follow).where(follow.c.source == source, follow.c.number < number).values(number=number))


def _forget(connection: Connection, keys: Sequence[int]) -> None:
    touched = list(connection.scalars(select(instance.c.series_key).where(instance.c.id.in_(keys)).distinct()))
    studies = list(connection.scalars(select(series.c.study_key).where(series.c.id.in_(touched)).distinct()))
    _drop(connection, Level.INSTANCE, keys, (file.c.instance_key, instance.c.id))
    _count_series(connection, touched)
    empty = list(connection.scalars(select(series.c.id).where(series.c.id.in_(touched), series.c.instance_count == 0)))
    _drop(connection, Level.SERIES, empty, (request.c.series_key, prepared.c.series_key, series.c.id))
    _count(connection, studies)
    left = set(connection.scalars(select(series.c.study_key).where(series.c.study_key.in_(studies))))
    _drop(connection, Level.STUDY, [key for key in studies if key not in left], (study.c.id,))


def _drop(connection: Connection, level: Level, keys: Sequence[int], columns: Sequence[Any]) -> None:
    mine = (attributes.c.level == level.value) & attributes.c.key.in_(keys)
    connection.execute(delete(attributes).where(mine))
    for column in columns:
        connection.execute(delete(column.table).where(column.in_(keys)))


def _add(connection: Connection, added: Sequence[Addition]) -> None:
    there = _known(connection, instance.c.sop_instance_uid, [one.sop_instance_uid for one in added])
    for one in added:
        if one.sop_instance_uid in there:  # with another path it came again after its bytes were removed
            mine = (file.c.instance_key == there[one.sop_instance_uid]) & (file.c.path != one.path)
            connection.execute(update(file).where(mine).values(**_bytes(one)))
    new = {one.sop_instance_uid: one for one in added if one.sop_instance_uid not in there}.values()
    if not new:
        return
    studies = _studies(connection, new)
    series_keys = _series(connection, new, studies)
    rows = [_instance(one, series_keys[studies[one.study_instance_uid], one.series_instance_uid]) for one in new]
    _ignoring(connection, instance, rows)
    keys = _known(connection, instance.c.sop_instance_uid, [one.sop_instance_uid for one in new])
    _keep(connection, Level.INSTANCE, [(keys[one.sop_instance_uid], one) for one in new])
    _ignoring(connection, file, [_file(one, keys[one.sop_instance_uid]) for one in new])
    touched = sorted({row["series_key"] for row in rows})
    _count_series(connection, touched)
    _count(connection, studies.values())


def _studies(connection: Connection, new: Iterable[Addition]) -> dict[str, int]:
    first: dict[str, Addition] = {}
    for one in new:
        first.setdefault(one.study_instance_uid, one)
    known = _known(connection, study.c.study_instance_uid, list(first))
    missing = [one for uid, one in first.items() if uid not in known]
    if missing:
        rows = [{"study_instance_uid": one.study_instance_uid, **one.entry.keys[Level.STUDY]} for one in missing]
        _ignoring(connection, study, rows)
        known |= _known(connection, study.c.study_instance_uid, [one.study_instance_uid for one in missing])
        _keep(connection, Level.STUDY, [(known[one.study_instance_uid], one) for one in missing])
    return known


def _series(connection: Connection, new: Iterable[Addition], studies: Mapping[str, int]) -> dict[tuple[int, str], int]:
    first: dict[tuple[int, str], Addition] = {}
    for one in new:
        first.setdefault((studies[one.study_instance_uid], one.series_instance_uid), one)
    known = _known_series(connection, first)
    missing = {key: one for key, one in first.items() if key not in known}
    if missing:
        rows = [
            {
                "study_key": key,
                "series_instance_uid": uid,
                "position": _position(one.entry.keys[Level.SERIES].get("series_number", "")),
                **one.entry.keys[Level.SERIES],
            }
            for (key, uid), one in missing.items()
        ]
        _ignoring(connection, series, rows)
        known |= _known_series(connection, missing)
        _keep(connection, Level.SERIES, [(known[key], one) for key, one in missing.items()])
        requests = [
            {"series_key": known[key], "scheduled_step_id": step, "requested_procedure_id": procedure}
            for key, one in missing.items()
            for step, procedure in one.entry.requests
        ]
        _ignoring(connection, request, requests)
    return known


def _known_series(connection: Connection, wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
    asked = set(wanted)
    rows = connection.execute(
        select(series.c.id, series.c.study_key, series.c.series_instance_uid).where(
            series.c.series_instance_uid.in_({uid for _, uid in asked})
        )
    )
    return {(row.study_key, row.series_instance_uid): row.id for row in rows if (row[1], row[2]) in asked}


def _known(connection: Connection, column: Any, uids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for at in range(0, len(uids), _MOST_UIDS):
        wanted = select(column, column.table.c.id).where(column.in_(uids[at : at + _MOST_UIDS]))
        found |= {row[0]: row[1] for row in connection.execute(wanted)}
    return found


def _instance(one: Addition, series_key: int) -> dict[str, Any]:
    keys = one.entry.keys[Level.INSTANCE]
    return {
        "series_key": series_key,
        "sop_instance_uid": one.sop_instance_uid,
        "sop_class_uid": one.sop_class_uid,
        "transfer_syntax_uid": one.transfer_syntax_uid,
        "position": _position(keys.get("instance_number", "")),
        "instance_number": "",
        "content_date": "",
        "content_time": "",
        **keys,
    }


def _file(one: Addition, key: int) -> dict[str, Any]:
    return {"instance_key": key, **_bytes(one)}


def _bytes(one: Addition) -> dict[str, Any]:
    return {
        "store": one.store,
        "path": one.path,
        "sha256": one.sha256,
        "size": one.size,
        "place": one.place,
        "document": one.document,
    }


def _position(number: str) -> int:
    digits = number.removeprefix("-")
    return int(number) if digits.isascii() and digits.isdecimal() and len(digits) < 16 else 0


def _keep(connection: Connection, level: Level, rows: Sequence[tuple[int, Addition]]) -> None:
    kept = [{"level": level.value, "key": key, "attributes": one.entry.attributes[level]} for key, one in rows]
    _ignoring(connection, attributes, kept)


def _count_series(connection: Connection, keys: Sequence[int]) -> None:
    mine = instance.c.series_key == series.c.id
    count = select(func.count()).select_from(instance).where(mine).scalar_subquery()
    newest = select(func.coalesce(func.max(instance.c.id), 0)).where(mine).scalar_subquery()
    connection.execute(update(series).where(series.c.id.in_(keys)).values(instance_count=count, newest=newest))


def _count(connection: Connection, studies: Iterable[int]) -> None:
    """Counts and ModalitiesInStudy, of what is not superseded."""
    shown = select(series.c.study_key, series.c.modality, series.c.instance_count).where(
        series.c.study_key.in_(set(studies)), ~series.c.superseded
    )
    found: dict[int, list[Any]] = {}
    for row in connection.execute(shown):
        found.setdefault(row.study_key, []).append(row)
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


def _ignoring(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert what is not there."""
    if rows:
        connection.execute(_insert(connection.dialect, table), list(rows))


def _insert(dialect: Dialect, table: Table) -> Any:
    make = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    return make(table).on_conflict_do_nothing()
