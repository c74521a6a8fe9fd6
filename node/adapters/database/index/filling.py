"""Entering instances into the index. What is there already stays as it is, so a batch may be entered twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Table, case, select, update
from sqlalchemy.dialects import postgresql, sqlite

from node.adapters.database.index.forgetting import REMOVALS, count_series, count_studies, forget_keys
from node.adapters.database.index.store import Index
from node.adapters.database.index.tables import attributes, file, follow, instance, request, series, study
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


def add(
    index: Index,
    source: str,
    number: int,
    added: Sequence[Addition],
    removals: int | None = None,
    superseded: Collection[str] = (),
) -> None:
    """Enter a batch, and that `source` is in the index up to `number`.

    `removals`: the last that was known before the batch was looked at. Where others have gone on to later ones, these
    are looked at once more: they may be of what is entered here. `superseded`: series that are hidden from now on.
    """
    with index.transaction() as connection:
        _add(connection, added)
        if superseded:
            _supersede(connection, superseded)
        _follow(connection, source, number)
        if removals is not None:
            back = case((follow.c.number > removals, removals), else_=follow.c.number)
            connection.execute(update(follow).where(follow.c.source == REMOVALS).values(number=back))


def is_empty(index: Index) -> bool:
    """Whether no instance is in the index."""
    with index.reading() as connection:
        return connection.scalar(select(instance.c.id).limit(1)) is None


def begin_removals(index: Index, number: int) -> None:
    """Follow the removals from a number on, where nobody follows them yet."""
    with index.transaction() as connection:
        _ignoring(connection, follow, [{"source": REMOVALS, "number": number}])


def _supersede(connection: Connection, series_instance_uids: Collection[str]) -> None:
    """Hide these series from searches and from the retrieval of a study."""
    mine = series.c.series_instance_uid.in_(series_instance_uids)
    studies = list(connection.scalars(select(series.c.study_key).where(mine, ~series.c.superseded)))
    connection.execute(update(series).where(mine).values(superseded=True))
    count_studies(connection, studies)


def _follow(connection: Connection, source: str, number: int) -> None:
    _ignoring(connection, follow, [{"source": source, "number": number}])
    connection.execute(update(follow).where(follow.c.source == source, follow.c.number < number).values(number=number))


def _add(connection: Connection, added: Sequence[Addition]) -> None:
    there = _known(connection, instance.c.sop_instance_uid, [one.sop_instance_uid for one in added])
    _forget_others(connection, added, there)
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
    count_series(connection, touched)
    count_studies(connection, studies.values())


def _forget_others(connection: Connection, added: Sequence[Addition], there: dict[str, int]) -> None:
    """Those that came again with other bytes are not `there` any more."""
    now = {there[one.sop_instance_uid]: one for one in added if one.sop_instance_uid in there}
    before = select(file.c.instance_key, file.c.store, file.c.sha256).where(file.c.instance_key.in_(now))
    keys = [
        row.instance_key
        for row in connection.execute(before)
        if row.store == now[row.instance_key].store and row.sha256 != now[row.instance_key].sha256
    ]
    if keys:
        forget_keys(connection, keys)
        for key in keys:
            del there[now[key].sop_instance_uid]


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


def _ignoring(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert what is not there."""
    if rows:
        connection.execute(_insert(connection.dialect, table), list(rows))


def _insert(dialect: Dialect, table: Table) -> Any:
    make = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    return make(table).on_conflict_do_nothing()
