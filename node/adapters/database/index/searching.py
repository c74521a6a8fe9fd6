"""Queries as SQL. What a match means is said in core/dicomweb/matching; here it is said to the database.

Written as text rather than through SQLAlchemy: most searches are small, and building and compiling an expression took
several times what the database needs for them. Every value is a parameter; names are those of `attributes.KEYS`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.adapters.database.index.store import Index, Look
from node.core.dicomweb.attributes import KEYS, Level
from node.core.dicomweb.matching import AnyOf, Fuzzy, Match, NamePattern, Pattern, Range
from node.core.dicomweb.model import Json
from node.core.dicomweb.query import Query

_ALIAS = {Level.STUDY: "s", Level.SERIES: "e", Level.INSTANCE: "i"}
_REQUEST = "RequestAttributesSequence."
_MODALITIES = "ModalitiesInStudy"
_MOST_KEYS = 500  # in one statement
_COUNTED = 100_000  # results behind a page that are counted

# Newest studies first; series and instances by their numbers. The keys make it a total order.
_ORDER = {
    Level.STUDY: "s.study_date DESC, s.study_time DESC, s.id DESC",
    Level.SERIES: "e.study_key, e.position, e.id",
    Level.INSTANCE: "i.series_key, i.position, i.id",
}
_TABLES = {Level.STUDY: "index_study s", Level.SERIES: "index_series e", Level.INSTANCE: "index_instance i"}
_ABOVE = {
    Level.STUDY: "JOIN index_study s ON s.id = e.study_key",
    Level.SERIES: "JOIN index_series e ON e.id = i.series_key",
}
_OF_STUDY = "s.id, s.study_instance_uid, s.modalities, s.series_count, s.instance_count"
_OF_SERIES = "e.id, e.series_instance_uid, e.instance_count"
_COLUMNS = {
    Level.STUDY: _OF_STUDY,
    Level.SERIES: f"{_OF_STUDY}, {_OF_SERIES}",
    Level.INSTANCE: f"{_OF_STUDY}, {_OF_SERIES}, i.id, i.sop_instance_uid, i.transfer_syntax_uid",
}
_KEY_AT = {Level.STUDY: 0, Level.SERIES: 5, Level.INSTANCE: 8}  # in these


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


@dataclass(frozen=True)
class _Part:
    """A condition on the table of a level, and its parameters."""

    level: Level
    sql: str
    values: tuple[object, ...] = ()


def search(index: Index, query: Query) -> Hits:
    """The page that is asked for, in an order that stays."""
    level, conditions = query.level, _conditions(_Texts(index.is_sqlite), query)
    values = tuple(value for part in conditions for value in part.values)
    matching = _matching(level, conditions)
    with index.looking() as look:
        rows = look.all(_page(level, matching), (*values, query.limit + 1, query.offset))
        more = 0
        if len(rows) > query.limit:
            rows = rows[: query.limit]
            most = query.offset + query.limit + _COUNTED
            counted = look.all(f"SELECT count(*) FROM (SELECT 1 FROM {matching} LIMIT ?) c", (*values, most))
            more = max(0, counted[0][0] - query.offset - len(rows))
        return Hits(_hits(look, level, rows), more)


def _matching(level: Level, conditions: Sequence[_Part]) -> str:
    """The tables that are asked, and what of them matches."""
    tables = _joined(level, {part.level for part in conditions})
    return f"{tables} WHERE {' AND '.join(part.sql for part in conditions)}" if conditions else tables


def _joined(level: Level, needed: Collection[Level]) -> str:
    """The table of a level with those above it, as far up as is needed."""
    tables = _TABLES[level]
    if level is Level.INSTANCE and (Level.SERIES in needed or Level.STUDY in needed):
        tables += f" {_ABOVE[Level.SERIES]}"
    if level is not Level.STUDY and Level.STUDY in needed:
        tables += f" {_ABOVE[Level.STUDY]}"
    return tables


def _page(level: Level, matching: str) -> str:
    """Rows are read for the page only: what is matched and ordered lies in an index that is read instead of them."""
    mine, order = _ALIAS[level], _ORDER[level]
    keys = f"SELECT {mine}.id AS found FROM {matching} ORDER BY {order} LIMIT ? OFFSET ?"
    above = _joined(level, list(Level)).removeprefix(_TABLES[level])
    return (
        f"SELECT {_COLUMNS[level]}, a.attributes FROM ({keys}) k JOIN {_TABLES[level]} ON {mine}.id = k.found{above} "
        f"LEFT JOIN index_attributes a ON a.level = '{level.value}' AND a.key = {mine}.id ORDER BY {order}"
    )


def _hits(look: Look, level: Level, rows: Sequence[Sequence[Any]]) -> list[Hit]:
    above = {
        each: _attributes(look, each, {row[_KEY_AT[each]] for row in rows}) for each in Level if _depth(each, level) < 0
    }
    return [_hit(row, level, above) for row in rows]


def _depth(one: Level, other: Level) -> int:
    every = list(Level)
    return every.index(one) - every.index(other)


def _attributes(look: Look, level: Level, keys: set[int]) -> dict[int, Json]:
    found: dict[int, Json] = {}
    ordered = sorted(keys)
    for at in range(0, len(ordered), _MOST_KEYS):
        some = ordered[at : at + _MOST_KEYS]
        sql = f"SELECT a.key, a.attributes FROM index_attributes a WHERE a.level = ? AND a.key IN ({_marks(some)})"
        found |= {key: _read(stored) for key, stored in look.all(sql, (level.value, *some))}
    return found


def _read(stored: Any) -> Json:
    """SQLite keeps JSON as text; the driver of PostgreSQL has read it."""
    read: Json = json.loads(stored) if isinstance(stored, str) else stored or {}
    return read


def _hit(row: Sequence[Any], level: Level, above: Mapping[Level, Mapping[int, Json]]) -> Hit:
    below_study, is_instance = level is not Level.STUDY, level is Level.INSTANCE
    attributes = {each: found.get(row[_KEY_AT[each]], {}) for each, found in above.items()}
    return Hit(
        attributes={**attributes, level: _read(row[-1])},
        study_instance_uid=row[1],
        series_instance_uid=row[6] if below_study else "",
        sop_instance_uid=row[9] if is_instance else "",
        modalities=tuple(name for name in row[2].split("\\") if name),
        series_count=row[3],
        instance_count=row[4],
        series_instance_count=row[7] if below_study else 0,
        transfer_syntax_uid=row[10] if is_instance else "",
    )


def _conditions(texts: _Texts, query: Query) -> list[_Part]:
    found: list[_Part] = []
    of_request: list[_Part] = []
    for path, match in query.matches.items():
        key = KEYS[path]
        if path.startswith(_REQUEST):
            of_request.append(texts.matching(key.level, f"r.{key.column}", match))
        elif path == _MODALITIES:
            found.append(_modalities(texts, match))
        else:
            found.append(texts.matching(key.level, f"{_ALIAS[key.level]}.{key.column}", match))
    if of_request:
        said = " AND ".join(part.sql for part in of_request)
        exists = f"EXISTS (SELECT 1 FROM index_request r WHERE r.series_key = e.id AND {said})"
        found.append(_Part(Level.SERIES, exists, tuple(value for part in of_request for value in part.values)))
    if query.moment:
        days = Range(query.moment.first[:8], query.moment.last[:8])
        found.append(texts.matching(Level.STUDY, "s.study_date", days))
        found.append(texts.matching(Level.STUDY, "(s.study_date || s.study_time)", query.moment))
    if not query.superseded and query.level is not Level.STUDY and not _names_series(query):
        found.append(_Part(Level.SERIES, "NOT e.superseded"))
    return found


def _names_series(query: Query) -> bool:
    """Who knows a series' or an instance's UID gets it, superseded or not."""
    return bool(query.matches.keys() & {"SeriesInstanceUID", "SOPInstanceUID"})


def _modalities(texts: _Texts, match: Match) -> _Part:
    """Some modality of the study matches."""
    column = "s.modalities"
    if isinstance(match, AnyOf):
        some = [
            texts.like(Level.STUDY, column, ["*", f"\\{value}\\", "*"])
            if value
            else _Part(Level.STUDY, f"{column} = ''")
            for value in match.values
        ]
        return _any(Level.STUDY, some)
    if isinstance(match, Pattern):
        return texts.like(Level.STUDY, column, ["*", "\\", *re.split(r"([*?])", match.text), "\\", "*"])
    return _Part(Level.STUDY, "1 = 1")


def _any(level: Level, some: Sequence[_Part]) -> _Part:
    if not some:
        return _Part(level, "1 = 0")
    said = " OR ".join(part.sql for part in some)
    return _Part(level, f"({said})", tuple(value for part in some for value in part.values))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


@dataclass(frozen=True)
class _Texts:
    """Conditions on text columns, for one kind of database."""

    sqlite: bool

    def matching(self, level: Level, column: str, match: Match) -> _Part:
        if isinstance(match, AnyOf):
            if not match.values:
                return _Part(level, "1 = 0")
            one = len(match.values) == 1  # of which an index gives the matches in the order of the answer
            return _Part(level, f"{column} = ?" if one else f"{column} IN ({_marks(match.values)})", match.values)
        if isinstance(match, Pattern):
            return self.like(level, column, re.split(r"([*?])", match.text))
        if isinstance(match, NamePattern):
            return self.like(level, column, ["*", "=", *re.split(r"([*?])", match.text), "=", "*"])
        if isinstance(match, Fuzzy):
            spelled = f"{column}_words"
            each = [
                _any(level, [self.like(level, spelled, ["*", f" {one}", "*"]) for one in word]) for word in match.words
            ]
            said = " AND ".join(part.sql for part in each)
            return _Part(level, said or "1 = 1", tuple(value for part in each for value in part.values))
        if isinstance(match, Range):
            ends = [(f"{column} >= ?", match.first) if match.first else (f"{column} <> ?", "")]
            ends += [(f"{column} <= ?", match.last)] if match.last else []
            return _Part(level, " AND ".join(sql for sql, _ in ends), tuple(value for _, value in ends))
        raise TypeError(match)

    def like(self, level: Level, column: str, parts: Sequence[str]) -> _Part:
        """The whole column follows the pattern; the parts "*" and "?" are wild, all others stand for themselves."""
        if self.sqlite:  # its LIKE does not tell cases apart
            escaped = (part if part in ("*", "?") else re.sub(r"([\[*?])", r"[\1]", part) for part in parts)
            return _Part(level, f"{column} GLOB ?", ("".join(escaped),))
        wild = {"*": "%", "?": "_"}
        escaped = (wild.get(part) or re.sub(r"([%_\\])", r"\\\1", part) for part in parts)
        return _Part(level, f"{column} LIKE ? ESCAPE '\\'", ("".join(escaped),))
