"""The query string of a Search transaction (PS3.18 8.3.4 and 10.6.1), read into what is to match."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from node.core.dicomweb.attributes import COMPUTED, KEYS, Key, Kind, Level, keyword_of
from node.core.dicomweb.matching import AnyOf, Fuzzy, Match, NamePattern, Pattern, Range
from node.core.dicomweb.names import folded, wanted
from node.errors import Usage

MOST_RESULTS = 1000  # of one answer, whatever `limit` says
_MOST_VALUES = 2000  # of a UID list
_MOST_PARAMETERS = 100
_LONGEST_VALUE = 1024  # of anything but a list

_UID = re.compile(r"[0-9.]{1,128}")
_DATE = re.compile(r"\d{8}")
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?)?")
_PASSED_OVER = frozenset({"accept", "charset", "_"})  # "_": what scripts add to get past a cache
_TRUTH = {"true": True, "false": False, "": False}


@dataclass(frozen=True)
class Query:
    """What is searched for."""

    level: Level
    matches: Mapping[str, Match] = field(default_factory=dict)  # path of keywords → match
    moment: Range | None = None  # StudyDate and StudyTime, both given as ranges, as one
    fields: frozenset[str] = frozenset()  # keywords to return besides the usual ones
    all_fields: bool = False
    limit: int = MOST_RESULTS
    offset: int = 0
    superseded: bool = False  # also results that a later version replaced
    warnings: tuple[str, ...] = ()  # sentences for Warning headers


def read_query(level: Level, parameters: Iterable[tuple[str, str]], *, study: str = "", series: str = "") -> Query:
    """Read the parameters; `study` and `series` are those of the path. Raises Usage for what cannot be meant."""
    reader = _Reader(level)
    for name, value in _bounded(parameters):
        reader.take(name.strip(), value)
    for keyword, uid in (("StudyInstanceUID", study), ("SeriesInstanceUID", series)):
        if uid:
            reader.demand_uid(keyword, uid)
    return reader.query()


def _bounded(parameters: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    given = list(parameters)
    if len(given) > _MOST_PARAMETERS:
        raise Usage(f"the query has more than {_MOST_PARAMETERS} parameters")
    return given


class _Reader:
    def __init__(self, level: Level) -> None:
        self._level = level
        self._values: dict[str, str] = {}  # path of keywords → what is asked
        self._options: dict[str, str] = {}
        self._fields: set[str] = set()
        self._all = False
        self._warnings: list[str] = []
        self._path: dict[str, str] = {}

    def take(self, name: str, value: str) -> None:
        """One parameter."""
        if name.lower() == "includefield":
            self._include(value)
        elif name.lower() in _OPTIONS:
            self._options[name.lower()] = value.strip()
        elif name.lower() not in _PASSED_OVER:
            self._match(name, value)

    def demand_uid(self, keyword: str, uid: str) -> None:
        """What the path says holds beside what the query says."""
        if not _UID.fullmatch(uid):
            raise Usage(f"the path's {keyword} is not a UID")
        self._path[keyword] = uid

    def query(self) -> Query:
        fuzzy = self._truth("fuzzymatching")
        several, empty = self._truth("multiplevaluematching"), self._truth("emptyvaluematching")
        found: dict[str, Match] = {}
        for path, value in self._values.items():
            match = _match(path, KEYS[path], value, fuzzy=fuzzy, several=several, empty=empty)
            if match is not None:
                found[path] = match
        for keyword, uid in self._path.items():
            asked = found.get(keyword)
            allowed = not isinstance(asked, AnyOf) or uid in asked.values
            found[keyword] = AnyOf((uid,) if allowed else ())
        made = Query(
            self._level,
            matches=found,
            fields=frozenset(self._fields),
            all_fields=self._all,
            limit=min(self._number("limit", MOST_RESULTS), MOST_RESULTS),
            offset=self._number("offset", 0),
            superseded=self._truth("superseded"),
            warnings=tuple(dict.fromkeys(self._warnings)),
        )
        return _with_moment(made)

    def _include(self, value: str) -> None:
        for name in re.split(r"[,\\]", value):
            if name.strip().lower() == "all":
                self._all = True
            elif name.strip():
                keywords = [keyword_of(part) for part in name.strip().split(".")]
                if keywords[0] is None:
                    self._warnings.append("An includefield that names no attribute has been passed over.")
                else:
                    self._fields.add(keywords[0])

    def _match(self, name: str, value: str) -> None:
        keywords = [keyword_of(part) for part in name.split(".")]
        if None in keywords or len(keywords) > 8:
            raise Usage("a parameter of the query is neither an attribute's keyword or tag, nor one of the standard's")
        path = ".".join(one for one in keywords if one)
        key = KEYS.get(path)
        if key is None or _depth(key.level) > _depth(self._level):
            if path not in COMPUTED:
                self._warnings.append(f"Matching of {path[:80]} is not supported. It has been passed over.")
            self._fields.add(path.partition(".")[0])
            return
        if path in self._values:
            raise Usage(f"{path} is asked for twice: use a list (PS3.18 8.3.4.1)")
        self._values[path] = value
        self._fields.add(path.partition(".")[0])

    def _number(self, name: str, default: int) -> int:
        value = self._options.get(name, "")
        if not value:
            return default
        if not (value.isascii() and value.isdecimal() and len(value) <= 9):
            raise Usage(f"{name} is not a whole number of at most nine digits")
        return int(value)

    def _truth(self, name: str) -> bool:
        try:
            return _TRUTH[self._options.get(name, "").lower()]
        except KeyError:
            raise Usage(f"{name} is true or false") from None


_OPTIONS = frozenset({"limit", "offset", "fuzzymatching", "multiplevaluematching", "emptyvaluematching", "superseded"})


def _depth(level: Level) -> int:
    return tuple(Level).index(level)


def _match(path: str, key: Key, value: str, *, fuzzy: bool, several: bool, empty: bool) -> Match | None:
    """What a value asks for; None when it asks for anything (universal matching, PS3.4 C.2.2.2.3)."""
    asked = value.strip()
    if key.kind is Kind.UID:
        return _uids(path, asked)
    if len(asked) > _LONGEST_VALUE:
        raise Usage(f"the value of {path} is longer than {_LONGEST_VALUE} characters")
    if empty and asked == '""':
        return AnyOf(("",))
    if not asked.strip("*"):
        return None
    if key.kind is Kind.DATE:
        return _dates(path, asked)
    if key.kind is Kind.TIME:
        return _times(path, asked)
    if several and key.kind is not Kind.NAME and re.search(r"[,\\]", asked):
        return AnyOf(tuple(part.strip() for part in re.split(r"[,\\]", asked) if part.strip()))
    if path == "ModalitiesInStudy" and re.search(r"[,\\]", asked):  # viewers send lists without asking first
        return AnyOf(tuple(part.strip() for part in re.split(r"[,\\]", asked) if part.strip()))
    return _text(path, key, asked, fuzzy=fuzzy)


def _uids(path: str, asked: str) -> Match | None:
    uids = tuple(dict.fromkeys(part.strip() for part in re.split(r"[,\\]", asked) if part.strip()))
    if len(uids) > _MOST_VALUES:
        raise Usage(f"{path} lists more than {_MOST_VALUES} UIDs")
    if uids == ("*",) or not uids:
        return None
    if not all(_UID.fullmatch(uid) for uid in uids):
        raise Usage(f"{path} holds something that is not a UID")
    return AnyOf(uids)


def _dates(path: str, asked: str) -> Match | None:
    first, dash, last = (part.strip() for part in asked.partition("-"))
    for date in (first, last):
        if date and not (_DATE.fullmatch(date) and date.isascii()):
            raise Usage(f"{path} is a date YYYYMMDD or a range of dates YYYYMMDD-YYYYMMDD")
    if not dash:
        return AnyOf((first,))
    return Range(first, last) if first or last else None


def _times(path: str, asked: str) -> Match | None:
    first, dash, last = (part.strip() for part in asked.partition("-"))
    ends = [_TIME.fullmatch(time) if time else None for time in (first, last)]
    if not asked.isascii() or any(time and not end for time, end in zip((first, last), ends, strict=True)):
        raise Usage(f"{path} is a time HHMMSS.FFFFFF or a range of times")
    begin = _filled(ends[0], ("00", "00", "00", "000000")) if ends[0] else ""
    end = ends[1] if dash else ends[0]
    until = _filled(end, ("23", "59", "59", "999999")) if end else ""
    return Range(begin, until) if begin or until else None


def _filled(time: re.Match[str] | None, rest: tuple[str, str, str, str]) -> str:
    parts = time.groups() if time else (None, None, None, None)
    hour, minute, second = (part or other for part, other in zip(parts[:3], rest[:3], strict=True))
    fraction = (parts[3] or "").ljust(6, rest[3][0]) if parts[3] else rest[3]
    return f"{hour}{minute}{second}.{fraction}"


def _text(path: str, key: Key, asked: str, *, fuzzy: bool) -> Match | None:
    if key.kind is Kind.NAME and fuzzy:
        words = wanted(asked)
        return Fuzzy(words) if words else None
    if key.kind is Kind.NAME:
        return NamePattern(folded(asked).strip().strip("=").rstrip("^"))
    if key.kind is Kind.NUMBER:
        if not re.fullmatch(r"[+-]?\d{1,12}", asked) or not asked.isascii():
            raise Usage(f"{path} is a whole number")
        return AnyOf((str(int(asked)),))
    return Pattern(asked) if re.search(r"[*?]", asked) else AnyOf((asked,))


def _with_moment(query: Query) -> Query:
    """Ranges of StudyDate and StudyTime together are one range of moments (PS3.18 8.3.4.1)."""
    date, time = query.matches.get("StudyDate"), query.matches.get("StudyTime")
    if not (isinstance(date, Range) and isinstance(time, Range) and date.first and date.last):
        return query
    rest = {path: match for path, match in query.matches.items() if path not in ("StudyDate", "StudyTime")}
    moment = Range(date.first + (time.first or "000000.000000"), date.last + (time.last or "235959.999999"))
    return replace(query, matches=rest, moment=moment)
