"""What the index keeps of an instance: attributes to return, and the forms in which they are matched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from node.core.dicomweb.attributes import KEPT_TAGS, KEYS, Kind, Level, tag_of
from node.core.dicomweb.model import Json
from node.core.dicomweb.names import groups, words

_LONGEST_KEY = 256
_MOST_REQUESTS = 16
_TIME = re.compile(r"(\d{2})(\d{2})?(\d{2})?(?:\.(\d{1,6}))?")


@dataclass(frozen=True)
class Entry:
    """One instance. `attributes` and `keys` are by level; keys are by column of the index."""

    attributes: Mapping[Level, Json]
    keys: Mapping[Level, Mapping[str, str]]
    requests: tuple[tuple[str, str], ...]  # scheduled procedure step ID, requested procedure ID


def entry(header: Json) -> Entry:
    """The entry of a header in the DICOM JSON Model."""
    attributes = {
        level: {tag: value for tag, value in header.items() if tag in kept} for level, kept in KEPT_TAGS.items()
    }
    keys: dict[Level, dict[str, str]] = {level: {} for level in Level}
    for path, key in KEYS.items():
        if "." in path or path == "ModalitiesInStudy" or key.kind is Kind.UID:
            continue
        text = _text(header.get(tag_of(path)))
        keys[key.level][key.column] = key_text(key.kind, text)
        if key.kind is Kind.NAME:
            keys[key.level][f"{key.column}_words"] = "".join(f" {word}" for word in words(text))[:1024]
    return Entry(attributes, keys, _requests(header))


def key_text(kind: Kind, text: str) -> str:
    """A value in the form in which it is matched; "" for one that no query could match."""
    if kind is Kind.NAME:
        return groups(text)[:1024]
    if kind is Kind.DATE:
        return text if len(text) == 8 and text.isascii() and text.isdigit() else ""
    if kind is Kind.TIME:
        found = _TIME.fullmatch(text)
        hour, minute, second, fraction = (part or "" for part in found.groups()) if found else ("",) * 4
        return f"{hour}{minute or '00'}{second or '00'}.{fraction.ljust(6, '0')}" if found else ""
    return text[:_LONGEST_KEY]


def _text(attribute: object) -> str:
    """The value as one text, as it stood in the header."""
    values = attribute.get("Value", []) if isinstance(attribute, dict) else []
    return "\\".join(_one(value) for value in values)


def _one(value: object) -> str:
    if isinstance(value, dict):
        return "=".join(str(value.get(form, "")) for form in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=")
    return "" if value is None else str(value)


def _requests(header: Json) -> tuple[tuple[str, str], ...]:
    items = header.get(tag_of("RequestAttributesSequence"), {}).get("Value", [])[:_MOST_REQUESTS]
    step, procedure = tag_of("ScheduledProcedureStepID"), tag_of("RequestedProcedureID")
    found = ((_text(item.get(step))[:_LONGEST_KEY], _text(item.get(procedure))[:_LONGEST_KEY]) for item in items)
    return tuple(dict.fromkeys(found))
