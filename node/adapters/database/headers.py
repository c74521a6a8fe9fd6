"""Headers that are kept of series: rows as they come, then chunks of many series, column by column.

A column of some thousand series takes a few kilobytes at most and is read alone, so a trial of two hundred rules over a
hundred thousand series reads what the rules name and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from node.adapters.database.engine import Database
from node.adapters.database.hits import tally
from node.adapters.database.rule_tables import header, header_chunk, header_column, rule_hit
from node.adapters.database.tables import series as series_table
from node.core.kept import Column, pack, packed_column, unpack, unpacked_column
from node.core.kept.columns import columns_of

CHUNK = 4096  # series
_AT_ONCE = 400  # UIDs in one statement
_WITHOUT_ARRIVALS = 4  # lists in a chunk of an earlier release
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class KeptHeader:
    """What is kept of one series."""

    series_instance_uid: str
    study_instance_uid: str
    version: int
    at: datetime  # when the rules decided
    cells: Mapping[str, str]
    arrived_at: datetime | None = None  # its last instance; None: kept by a release that did not know

    @property
    def arrived(self) -> datetime:
        """What live evaluation orders the series of a study by."""
        return self.arrived_at or self.at


@dataclass(frozen=True)
class Whose:
    """The series of a batch, in its order."""

    uids: Sequence[str]
    studies: Sequence[str]
    versions: Sequence[int]
    times: Sequence[float]  # when the rules decided, in seconds since 1970
    arrivals: Sequence[float]  # of the last instance


@dataclass(frozen=True)
class Batch:
    """Columns of many series. A key without a column is one that none of them holds."""

    whose: Whose
    columns: Mapping[str, Column]


def keep(database: Database, kept: KeptHeader, matched: Sequence[str]) -> None:
    """Remember a series that was decided on, in place of its older version, and the rules that matched it."""
    uid = kept.series_instance_uid
    row = {
        "series_instance_uid": uid,
        "study_instance_uid": kept.study_instance_uid,
        "version": kept.version,
        "at": kept.at,
        "arrived_at": kept.arrived_at,
        "content": pack(dict(kept.cells)),
    }
    hits = [
        {"series_instance_uid": uid, "version": kept.version, "rule": rule, "at": kept.at}
        for rule in dict.fromkeys(matched)
    ]
    with database.transaction() as connection:
        connection.execute(delete(header).where(header.c.series_instance_uid == uid))
        if kept.cells:
            connection.execute(insert(header), row)
        again = (rule_hit.c.series_instance_uid == uid) & (rule_hit.c.version == kept.version)
        before = connection.execute(select(rule_hit.c.rule, rule_hit.c.at).where(again)).all()
        connection.execute(delete(rule_hit).where(again))
        if hits:
            connection.execute(insert(rule_hit), hits)
        tally(connection, [(row.rule, row.at, -1) for row in before] + [(one["rule"], kept.at, 1) for one in hits])


def number(database: Database, since: datetime | None = None) -> int:
    """How many series are kept, about: versions that a later one replaced count until they are swept."""
    later = [] if since is None else [header.c.at >= since]
    chunks = [] if since is None else [header_chunk.c.newest_at >= since]
    with database.reading() as connection:
        loose = connection.scalar(select(func.count()).select_from(header).where(*later)) or 0
        return loose + (connection.scalar(select(func.sum(header_chunk.c.number)).where(*chunks)) or 0)


def of_series(database: Database, series_instance_uid: str) -> KeptHeader | None:
    """What is kept of one series."""
    if "\0" in series_instance_uid:  # PostgreSQL takes none
        return None
    with database.reading() as connection:
        row = connection.execute(select(header).where(header.c.series_instance_uid == series_instance_uid)).first()
        if row is not None:
            return _loose(row)
        for chunk_id in connection.scalars(select(header_chunk.c.id).order_by(header_chunk.c.id.desc())).all():
            packed = connection.scalar(select(header_chunk.c.series).where(header_chunk.c.id == chunk_id))
            whose = _whose(packed or b"")
            if series_instance_uid in whose.uids:
                return _in_chunk(connection, chunk_id, whose, whose.uids.index(series_instance_uid))
    return None


def _in_chunk(connection: Connection, chunk_id: int, whose: Whose, place: int) -> KeptHeader:
    columns = _columns(connection, chunk_id, None)
    cells = {key: cell for key, column in columns.items() if (cell := column.at(place)) is not None}
    return KeptHeader(
        whose.uids[place], whose.studies[place], whose.versions[place], _moment(whose.times[place]), cells,
        _moment(whose.arrivals[place]),
    )  # fmt: skip


def of_study(database: Database, study_instance_uid: str) -> list[KeptHeader]:
    """What is kept of the series of a study and not yet in a chunk: those of the last days."""
    wanted = select(header).where(header.c.study_instance_uid == study_instance_uid).order_by(header.c.at)
    with database.reading() as connection:
        return [_loose(row) for row in connection.execute(wanted)]


def newer(database: Database, since: datetime, at_most: int) -> list[KeptHeader]:
    """Rows that are in no chunk yet and were decided on at that moment or later, the newest first."""
    wanted = select(header).where(header.c.at >= since).order_by(header.c.at.desc()).limit(at_most)
    with database.reading() as connection:
        return [_loose(row) for row in connection.execute(wanted)]


def chunks(database: Database, since: datetime) -> list[int]:
    """The chunks that hold series of that moment or later, the newest first."""
    wanted = select(header_chunk.c.id).where(header_chunk.c.newest_at >= since).order_by(header_chunk.c.id.desc())
    with database.reading() as connection:
        return list(connection.scalars(wanted))


def chunk(database: Database, chunk_id: int, keys: Sequence[str]) -> Batch | None:
    """The columns of a chunk that are asked for; None when it is gone."""
    with database.reading() as connection:
        packed = connection.scalar(select(header_chunk.c.series).where(header_chunk.c.id == chunk_id))
        return None if packed is None else Batch(_whose(packed), _columns(connection, chunk_id, keys))


def _loose(row: Row[Any]) -> KeptHeader:
    return KeptHeader(
        row.series_instance_uid, row.study_instance_uid, row.version, row.at, unpack(row.content),
        row.arrived_at or row.at,
    )  # fmt: skip


def batches(database: Database, keys: Sequence[str], since: datetime | None = None) -> Iterator[Batch]:
    """All kept series, each once and in its newest version, a few thousand at a time, with the columns asked for."""
    with database.reading() as connection:
        newest = _late(connection)
        loose = connection.scalars(select(header.c.series_instance_uid).order_by(header.c.at)).all()
        elsewhere = frozenset(loose)
        wanted = select(header_chunk).order_by(header_chunk.c.id)
        if since is not None:
            wanted = wanted.where(header_chunk.c.newest_at >= since)
        for chunk in connection.execute(wanted).all():
            whole = Batch(_whose(chunk.series), _columns(connection, chunk.id, keys))
            yield _valid(whole, since, newest, elsewhere)
        for at in range(0, len(loose), _AT_ONCE):
            these = select(header).where(header.c.series_instance_uid.in_(loose[at : at + _AT_ONCE]))
            rows = connection.execute(these).all()
            yield _valid(_batch(rows, set(keys)), since, newest, frozenset())


def merge(database: Database, before: datetime, at_least: int = CHUNK) -> int:
    """Put the oldest rows into a chunk when so many are older than a moment; how many were."""
    oldest = select(header).where(header.c.at < before).order_by(header.c.at).limit(CHUNK).with_for_update()
    with database.transaction() as connection:
        rows = connection.execute(oldest).all()
        if len(rows) < max(at_least, 1):
            return 0
        _write(connection, _batch(rows, None))
        _delete_loose(connection, [row.series_instance_uid for row in rows])
    return len(rows)


def sweep(database: Database, before: datetime) -> int:
    """Forget what is older; how many series were."""
    with database.transaction() as connection:
        gone = connection.execute(delete(header).where(header.c.at < before)).rowcount
        old = select(header_chunk).where(header_chunk.c.oldest_at < before).with_for_update()
        for chunk in connection.execute(old).all():
            whole = Batch(_whose(chunk.series), _columns(connection, chunk.id, None))
            kept = _valid(whole, before, {}, frozenset())
            gone += len(whole.whose.uids) - len(kept.whose.uids)
            connection.execute(delete(header_column).where(header_column.c.chunk_id == chunk.id))
            connection.execute(delete(header_chunk).where(header_chunk.c.id == chunk.id))
            if kept.whose.uids:
                _write(connection, kept)
    return gone


def write_chunk(database: Database, batch: Batch) -> None:
    """A chunk as it is."""
    with database.transaction() as connection:
        _write(connection, batch)


def _write(connection: Connection, batch: Batch) -> None:
    whose = batch.whose
    made = connection.execute(
        insert(header_chunk).values(
            oldest_at=_moment(min(whose.times)),
            newest_at=_moment(max(whose.times)),
            number=len(whose.uids),
            series=pack(
                [list(whose.uids), list(whose.studies), list(whose.versions), list(whose.times), list(whose.arrivals)]
            ),
        )
    )
    key = made.inserted_primary_key
    rows = [
        {"chunk_id": key[0] if key else 0, "key": name, "content": packed_column(column)}
        for name, column in batch.columns.items()
    ]
    if rows:
        connection.execute(insert(header_column), rows)


def _delete_loose(connection: Connection, uids: Sequence[str]) -> None:
    for at in range(0, len(uids), _AT_ONCE):
        these = header.c.series_instance_uid.in_(uids[at : at + _AT_ONCE])
        connection.execute(delete(header).where(these))


def _late(connection: Connection) -> dict[str, int]:
    """The version of series that came in several: few."""
    wanted = select(series_table.c.series_instance_uid, series_table.c.version).where(series_table.c.version > 1)
    return {row.series_instance_uid: row.version for row in connection.execute(wanted)}


def _valid(batch: Batch, since: datetime | None, newest: Mapping[str, int], elsewhere: frozenset[str]) -> Batch:
    """Without the series that are too old, and without versions that a later one replaced."""
    whose = batch.whose
    start = 0.0 if since is None else _seconds(since)
    places = [
        place
        for place, (uid, version, at) in enumerate(zip(whose.uids, whose.versions, whose.times, strict=True))
        if at >= start and version >= newest.get(uid, 0) and uid not in elsewhere
    ]
    if len(places) == len(whose.uids):
        return batch
    left = Whose(
        [whose.uids[place] for place in places],
        [whose.studies[place] for place in places],
        [whose.versions[place] for place in places],
        [whose.times[place] for place in places],
        [whose.arrivals[place] for place in places],
    )
    columns = {key: column.only(places) for key, column in batch.columns.items()}
    return Batch(left, {key: column for key, column in columns.items() if len(column.texts) > 1})


def _batch(rows: Sequence[Row[Any]], keys: set[str] | None) -> Batch:
    contents = [unpack(row.content) for row in rows]
    if keys is not None:
        contents = [{key: cell for key, cell in content.items() if key in keys} for content in contents]
    whose = Whose(
        [row.series_instance_uid for row in rows],
        [row.study_instance_uid for row in rows],
        [row.version for row in rows],
        [_seconds(row.at) for row in rows],
        [_seconds(row.arrived_at or row.at) for row in rows],
    )
    return Batch(whose, columns_of(contents))


def _whose(packed: bytes) -> Whose:
    read = unpack(packed)
    return Whose(*read, *([read[-1]] if len(read) == _WITHOUT_ARRIVALS else []))


def _columns(connection: Connection, chunk_id: int, keys: Sequence[str] | None) -> dict[str, Column]:
    wanted = select(header_column.c.key, header_column.c.content).where(header_column.c.chunk_id == chunk_id)
    if keys is not None:
        wanted = wanted.where(header_column.c.key.in_(keys))
    return {row.key: unpacked_column(row.content) for row in connection.execute(wanted)}


def _seconds(at: datetime) -> float:
    return (at - _EPOCH).total_seconds()


def _moment(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
