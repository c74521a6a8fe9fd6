"""Identifiers of C-FIND, C-MOVE and C-GET (PS3.4 C.4): read into what the index is asked, made of what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from node.core.dicomweb.attributes import Level
from node.core.dicomweb.model import Json
from node.core.dicomweb.query import Query, read_query
from node.core.encoded import UNREADABLE
from node.errors import Usage

_LEVELS = {"PATIENT": Level.STUDY, "STUDY": Level.STUDY, "SERIES": Level.SERIES, "IMAGE": Level.INSTANCE}
_NOT_KEYS = frozenset({"QueryRetrieveLevel", "SpecificCharacterSet", "RetrieveAETitle", "InstanceAvailability"})
_MOST_KEYS = 200
_DEEPEST = 4  # of nested sequences
_UNIQUE = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


@dataclass(frozen=True)
class Find:
    """What a C-FIND asks for."""

    level: str  # PATIENT, STUDY, SERIES or IMAGE
    query: Query
    keywords: tuple[str, ...]  # of its identifier, in the order of their tags
    asked: tuple[tuple[str, str], ...] = ()  # every key and what it is to match, "" for any


@dataclass(frozen=True)
class Retrieve:
    """What a C-MOVE or C-GET asks for: those instances that all of these name. () names all."""

    level: str
    patient_id: str
    studies: tuple[str, ...]
    series: tuple[str, ...]
    instances: tuple[str, ...]


def read_find(identifier: Dataset) -> Find:
    """Read the identifier of a C-FIND. Raises Usage for what cannot be meant."""
    level = _level(identifier)
    parameters = list(_parameters(identifier, "", 0))
    if len(parameters) > _MOST_KEYS:
        raise Usage(f"the identifier has more than {_MOST_KEYS} keys")
    keywords = dict.fromkeys(path.partition(".")[0] for path, _ in parameters)
    asked = [(path, value) for path, value in parameters if value]
    query = read_query(_LEVELS[level], [*asked, ("includefield", "all")])
    return Find(level, query, tuple(keywords), tuple(parameters))


def read_retrieve(identifier: Dataset) -> Retrieve:
    """Read the identifier of a C-MOVE or C-GET. Raises Usage where its level's unique key is missing, or names all."""
    level = _level(identifier)
    given = {keyword: _values(identifier, keyword) for keyword in ("PatientID", *_UNIQUE.values())}
    needed = "PatientID" if level == "PATIENT" else _UNIQUE[level]
    if not given[needed]:
        raise Usage(f"the identifier of level {level} has no {needed} (PS3.4 C.4.2.1.4)")
    depth = list(_UNIQUE).index(level) + 1 if level in _UNIQUE else 0
    named = {keyword: given[keyword] for keyword in list(_UNIQUE.values())[:depth]}
    for keyword, values in {**named, needed: given[needed]}.items():
        if any(not value.strip() or "*" in value or "?" in value for value in values):
            raise Usage(f"{keyword} is no single value (PS3.4 C.4.2.2.1): a retrieval names what it wants")
    return Retrieve(
        level=level,
        patient_id=given["PatientID"][0] if given["PatientID"] else "",
        studies=named.get("StudyInstanceUID", ()),
        series=named.get("SeriesInstanceUID", ()),
        instances=named.get("SOPInstanceUID", ()),
    )


def queries(asked: Retrieve) -> Query:
    """The search that finds the instances of a retrieval."""
    keys = {
        "PatientID": [_literal(asked.patient_id)] if asked.patient_id else [],
        "StudyInstanceUID": asked.studies,
        "SeriesInstanceUID": asked.series,
        "SOPInstanceUID": asked.instances,
    }
    return read_query(Level.INSTANCE, [(keyword, "\\".join(values)) for keyword, values in keys.items() if values])


def answer(find: Find, found: Json, retrieve_ae_title: str) -> Dataset:
    """One match as an identifier: the keys that were asked for, empty where nothing is known (PS3.4 C.4.1.1.3.2)."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.QueryRetrieveLevel = find.level
    made.RetrieveAETitle = retrieve_ae_title
    made.InstanceAvailability = "ONLINE"
    by_keyword = {keyword_for_tag(tag): (tag, attribute) for tag, attribute in found.items()}
    for keyword in find.keywords:
        setattr(made, keyword, [] if dictionary_VR(keyword) == "SQ" else "")
        if keyword in by_keyword:
            tag, attribute = by_keyword[keyword]
            with suppress(*UNREADABLE):  # what was stored is none of its kind: one such value must not end the query
                made.update(Dataset.from_json({tag: attribute}))
    return made


def _level(identifier: Dataset) -> str:
    level = _text(identifier, "QueryRetrieveLevel").strip().upper()
    if level not in _LEVELS:
        raise Usage("QueryRetrieveLevel is none of PATIENT, STUDY, SERIES and IMAGE")
    return level


def _parameters(identifier: Dataset, before: str, depth: int) -> Iterator[tuple[str, str]]:
    """Paths of keywords and what each is to match; attributes that the standard does not know are passed over."""
    for tag in sorted(identifier.keys()):
        keyword = keyword_for_tag(tag)
        if not keyword or keyword in _NOT_KEYS or tag.element == 0:
            continue
        element = _element(identifier, keyword)
        if element.VR != "SQ":
            yield f"{before}{keyword}", _text(identifier, keyword)
        elif not element.value:
            yield f"{before}{keyword}", ""
        elif depth < _DEEPEST:
            yield from _parameters(element.value[0], f"{before}{keyword}.", depth + 1)


def _element(identifier: Dataset, keyword: str) -> DataElement:
    try:
        return identifier[keyword]
    except UNREADABLE as broken:
        raise Usage(f"{keyword} cannot be read") from broken


def _text(identifier: Dataset, keyword: str) -> str:
    return "\\".join(_values(identifier, keyword))


def _values(identifier: Dataset, keyword: str) -> tuple[str, ...]:
    if keyword not in identifier:
        return ()
    value = _element(identifier, keyword).value
    several: Sequence[object] = value if isinstance(value, MultiValue | list | tuple) else [value]
    found = tuple(str(one) for one in several if one is not None and str(one))
    if any("\0" in one for one in found):
        raise Usage(f"{keyword} holds a NUL character, which no database takes")
    return found


def _literal(text: str) -> str:
    """A retrieval names one patient."""
    if "*" in text or "?" in text:
        raise Usage("PatientID is no single value")
    return text
