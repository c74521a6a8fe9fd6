"""Files, metadata and prepared answers of what is in the index."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, insert, select

from node.adapters.database.index.store import Index
from node.adapters.database.index.tables import file, instance, prepared, series, study
from node.core.dicomweb.pixels import PixelPlace, place_of

_AT_ONCE = 64  # documents of a page


@dataclass(frozen=True)
class Held:
    """An instance that can be retrieved."""

    key: int
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    store: str
    path: str
    sha256: str
    size: int
    place: PixelPlace | None


@dataclass(frozen=True)
class HeldSeries:
    """A series that can be retrieved, as it is now."""

    key: int
    study_instance_uid: str
    series_instance_uid: str
    instance_count: int
    newest: int  # changes when an instance comes or goes


_HELD = (
    select(
        instance.c.id.label("key"), study.c.study_instance_uid, series.c.series_instance_uid,
        instance.c.sop_instance_uid,
        instance.c.sop_class_uid, instance.c.transfer_syntax_uid, file.c.store, file.c.path, file.c.sha256,
        file.c.size, file.c.place,
    )
    .join(series, instance.c.series_key == series.c.id)
    .join(study, series.c.study_key == study.c.id)
    .join(file, file.c.instance_key == instance.c.id)
    .order_by(series.c.position, series.c.id, instance.c.position, instance.c.id)
)  # fmt: skip


def held(
    index: Index, study_instance_uid: str, series_instance_uid: str = "", sop_instance_uid: str = ""
) -> list[Held]:
    """The instances at a place, in order. Superseded ones only where their series or instance is named."""
    wanted = _at(_HELD, study_instance_uid, series_instance_uid, sop_instance_uid)
    with index.reading() as connection:
        return [_held(row) for row in connection.execute(wanted)]


def held_series(index: Index, study_instance_uid: str, series_instance_uid: str = "") -> list[HeldSeries]:
    """The series at a place, in order."""
    wanted = (
        select(
            series.c.id, study.c.study_instance_uid, series.c.series_instance_uid, series.c.instance_count,
            series.c.newest,
        )
        .join(study, series.c.study_key == study.c.id)
        .order_by(series.c.position, series.c.id)
    )  # fmt: skip
    with index.reading() as connection:
        rows = connection.execute(_at(wanted, study_instance_uid, series_instance_uid))
        return [HeldSeries(*row) for row in rows]


def by_uid(index: Index, study_instance_uid: str, sop_instance_uids: Collection[str]) -> list[Held]:
    """Instances of a study by their own UIDs, superseded or not."""
    wanted = _HELD.where(
        study.c.study_instance_uid == study_instance_uid, instance.c.sop_instance_uid.in_(sop_instance_uids)
    )
    with index.reading() as connection:
        return [_held(row) for row in connection.execute(wanted)]


def _at(
    wanted: Select[Any], study_instance_uid: str, series_instance_uid: str = "", sop_instance_uid: str = ""
) -> Select[Any]:
    wanted = wanted.where(study.c.study_instance_uid == study_instance_uid)
    if sop_instance_uid:
        wanted = wanted.where(instance.c.sop_instance_uid == sop_instance_uid)
    if series_instance_uid:
        return wanted.where(series.c.series_instance_uid == series_instance_uid)
    return wanted.where(~series.c.superseded)


def _held(row: Any) -> Held:
    place = place_of(row.place) if row.place else None
    return Held(**{**row._mapping, "place": place})


def document(index: Index, key: int) -> bytes:
    """The header of an instance in the DICOM JSON Model, zlib."""
    with index.reading() as connection:
        return connection.scalar(select(file.c.document).where(file.c.instance_key == key)) or b""


def documents(index: Index, series_key: int) -> Iterator[bytes]:
    """Those of a series, in order."""
    mine = select(instance.c.id).where(instance.c.series_key == series_key).order_by(instance.c.position, instance.c.id)
    with index.reading() as connection:
        keys = list(connection.scalars(mine))
    for at in range(0, len(keys), _AT_ONCE):
        yield from _some(index, keys[at : at + _AT_ONCE])


def _some(index: Index, keys: Sequence[int]) -> list[bytes]:
    wanted = select(file.c.instance_key, file.c.document).where(file.c.instance_key.in_(keys))
    with index.reading() as connection:
        found = {row.instance_key: row.document for row in connection.execute(wanted)}
    return [found[key] for key in keys if key in found]


def find_prepared(index: Index, series_key: int, etag: str) -> bytes | None:
    """Metadata of a series as it goes over the wire, when it was prepared and nothing changed since."""
    wanted = select(prepared.c.content).where(prepared.c.series_key == series_key, prepared.c.etag == etag)
    with index.reading() as connection:
        return connection.scalar(wanted)


def keep_prepared(index: Index, series_key: int, etag: str, content: bytes) -> None:
    with index.transaction() as connection:
        connection.execute(delete(prepared).where(prepared.c.series_key == series_key))
        connection.execute(insert(prepared).values(series_key=series_key, etag=etag, content=content))
