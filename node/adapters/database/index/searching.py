"""Queries as SQL. What a match means is said in core/dicomweb/matching; here it is said to the database."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, exists, false, func, or_, select, true

from node.adapters.database.index.store import Index
from node.adapters.database.index.tables import attributes, instance, request, series, study
from node.core.dicomweb.attributes import KEYS, Level
from node.core.dicomweb.matching import AnyOf, Fuzzy, Match, NamePattern, Pattern, Range
from node.core.dicomweb.model import Json
from node.core.dicomweb.query import Query

_TABLES = {Level.STUDY: study, Level.SERIES: series, Level.INSTANCE: instance}
_REQUEST = "RequestAttributesSequence."
_MODALITIES = "ModalitiesInStudy"
_MOST_KEYS = 500  # in one statement
_COUNTED = 100_000  # results behind a page that are counted


@dataclass(frozen=True)
class Hit:
    """One result: the attributes of its own level and of those above, and what is counted."""

    attributes: Mapping[Level, Json]
    study_instance_uid: str
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    modalities: tuple[str, ...] = ()
    series_count: int = 0  # of the study
    instance_count: int = 0  # of the study
    series_instance_count: int = 0
    transfer_syntax_uid: str = ""


@dataclass(frozen=True)
class Hits:
    """A page of results, and how many more there are behind it."""

    hits: Sequence[Hit]
    more: int


def search(index: Index, query: Query) -> Hits:
    """The page that is asked for, in an order that stays."""
    with index.reading() as connection:
        matching = _ordered(_keys(query.level), query.level).where(*_conditions(connection, query))
        keys = list(connection.scalars(matching.limit(query.limit + 1).offset(query.offset)))
        more = 0
        if len(keys) > query.limit:
            keys = keys[: query.limit]
            counted = matching.order_by(None).limit(query.offset + query.limit + _COUNTED).subquery()
            more = max(
                0, (connection.scalar(select(func.count()).select_from(counted)) or 0) - query.offset - len(keys)
            )
        page = _rows(connection, query.level, keys)
        found = {
            level: _attributes(connection, level, {getattr(row, f"{level.value}_key") for row in page})
            for level in _levels(query.level)
        }
    return Hits([_hit(row, query.level, found) for row in page], more)


def _levels(level: Level) -> list[Level]:
    """The level and those above it."""
    every = list(Level)
    return every[: every.index(level) + 1]


def _keys(level: Level) -> Select[Any]:
    """What is needed to match: rows are read for the page only."""
    if level is Level.STUDY:
        return select(study.c.id)
    wanted = select(series.c.id if level is Level.SERIES else instance.c.id).select_from(study)
    wanted = wanted.join(series, series.c.study_key == study.c.id)
    return wanted if level is Level.SERIES else wanted.join(instance, instance.c.series_key == series.c.id)


def _rows(connection: Connection, level: Level, keys: Sequence[int]) -> list[Any]:
    """The rows of a page, in its order."""
    found: dict[int, Any] = {}
    for at in range(0, len(keys), _MOST_KEYS):
        wanted = _columns(level).where(_TABLES[level].c.id.in_(keys[at : at + _MOST_KEYS]))
        found |= {getattr(row, f"{level.value}_key"): row for row in connection.execute(wanted)}
    return [found[key] for key in keys if key in found]


def _columns(level: Level) -> Select[Any]:
    of_study = [
        study.c.id.label("study_key"), study.c.study_instance_uid, study.c.modalities, study.c.series_count,
        study.c.instance_count.label("study_instance_count"),
    ]  # fmt: skip
    if level is Level.STUDY:
        return select(*of_study)
    of_series = [
        series.c.id.label("series_key"), series.c.series_instance_uid,
        series.c.instance_count.label("series_instance_count"),
    ]  # fmt: skip
    if level is Level.SERIES:
        return select(*of_study, *of_series).join(series, series.c.study_key == study.c.id)
    of_instance = [instance.c.id.label("instance_key"), instance.c.sop_instance_uid, instance.c.transfer_syntax_uid]
    return (
        select(*of_study, *of_series, *of_instance)
        .join(series, series.c.study_key == study.c.id)
        .join(instance, instance.c.series_key == series.c.id)
    )


def _ordered(wanted: Select[Any], level: Level) -> Select[Any]:
    """Newest studies first; series and instances by their numbers. The keys make it a total order."""
    if level is Level.STUDY:
        return wanted.order_by(study.c.study_date.desc(), study.c.study_time.desc(), study.c.id.desc())
    if level is Level.SERIES:
        return wanted.order_by(series.c.study_key, series.c.position, series.c.id)
    return wanted.order_by(instance.c.series_key, instance.c.position, instance.c.id)


def _conditions(connection: Connection, query: Query) -> list[ColumnElement[bool]]:
    texts = _Texts(connection.dialect.name)
    found: list[ColumnElement[bool]] = []
    of_request: list[ColumnElement[bool]] = []
    for path, match in query.matches.items():
        if path.startswith(_REQUEST):
            of_request.append(texts.matching(request.c[KEYS[path].column], match))
        elif path == _MODALITIES:
            found.append(_modalities(texts, match))
        else:
            key = KEYS[path]
            found.append(texts.matching(_TABLES[key.level].c[key.column], match))
    if of_request:
        found.append(exists().where(request.c.series_key == series.c.id, *of_request))
    if query.moment:
        moment = study.c.study_date + study.c.study_time
        days = Range(query.moment.first[:8], query.moment.last[:8])
        found += [texts.matching(study.c.study_date, days), texts.matching(moment, query.moment)]
    if not query.superseded and query.level is not Level.STUDY and not _names_series(query):
        found.append(~series.c.superseded)
    return found


def _names_series(query: Query) -> bool:
    """Who knows a series' or an instance's UID gets it, superseded or not."""
    return bool(query.matches.keys() & {"SeriesInstanceUID", "SOPInstanceUID"})


def _modalities(texts: _Texts, match: Match) -> ColumnElement[bool]:
    """Some modality of the study matches."""
    column = study.c.modalities
    if isinstance(match, AnyOf):
        some = [texts.like(column, ["*", f"\\{value}\\", "*"]) if value else column == "" for value in match.values]
        return or_(*some) if some else false()
    if isinstance(match, Pattern):
        return texts.like(column, ["*", "\\", *re.split(r"([*?])", match.text), "\\", "*"])
    return true()


@dataclass(frozen=True)
class _Texts:
    """Conditions on text columns, for one kind of database."""

    dialect: str

    def matching(self, column: Column[Any] | ColumnElement[Any], match: Match) -> ColumnElement[bool]:
        if isinstance(match, AnyOf):
            return column == match.values[0] if len(match.values) == 1 else column.in_(match.values)
        if isinstance(match, Pattern):
            return self.like(column, re.split(r"([*?])", match.text))
        if isinstance(match, NamePattern):
            return self.like(column, ["*", "=", *re.split(r"([*?])", match.text), "=", "*"])
        if isinstance(match, Fuzzy):
            spelled = study.c[f"{column.key}_words"]
            each = [or_(*(self.like(spelled, ["*", f" {one}", "*"]) for one in word)) for word in match.words]
            return and_(*each)
        if isinstance(match, Range):
            ends = [column >= match.first if match.first else column != ""]
            return and_(*ends, column <= match.last) if match.last else and_(*ends)
        raise TypeError(match)

    def like(self, column: ColumnElement[Any], parts: Sequence[str]) -> ColumnElement[bool]:
        """The whole column follows the pattern; the parts "*" and "?" are wild, all others stand for themselves."""
        if self.dialect == "sqlite":  # its LIKE does not tell cases apart
            escaped = (part if part in ("*", "?") else re.sub(r"([\[*?])", r"[\1]", part) for part in parts)
            return column.op("GLOB", is_comparison=True)("".join(escaped))
        wild = {"*": "%", "?": "_"}
        escaped = (wild.get(part) or re.sub(r"([%_\\])", r"\\\1", part) for part in parts)
        return column.like("".join(escaped), escape="\\")


def _attributes(connection: Connection, level: Level, keys: set[int]) -> dict[int, Json]:
    found: dict[int, Json] = {}
    ordered = sorted(keys)
    for at in range(0, len(ordered), _MOST_KEYS):
        some = ordered[at : at + _MOST_KEYS]
        wanted = select(attributes.c.key, attributes.c.attributes).where(
            attributes.c.level == level.value, attributes.c.key.in_(some)
        )
        found |= {row.key: row.attributes for row in connection.execute(wanted)}
    return found


def _hit(row: Any, level: Level, found: Mapping[Level, Mapping[int, Json]]) -> Hit:
    below_study, is_instance = level is not Level.STUDY, level is Level.INSTANCE
    return Hit(
        attributes={each: rows.get(getattr(row, f"{each.value}_key"), {}) for each, rows in found.items()},
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid if below_study else "",
        sop_instance_uid=row.sop_instance_uid if is_instance else "",
        modalities=tuple(name for name in row.modalities.split("\\") if name),
        series_count=row.series_count,
        instance_count=row.study_instance_count,
        series_instance_count=row.series_instance_count if below_study else 0,
        transfer_syntax_uid=row.transfer_syntax_uid if is_instance else "",
    )
