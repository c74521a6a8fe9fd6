"""Text of DICOM values in any character set (PS3.5 6.1), decoded without ever failing.

A wrong or unknown SpecificCharacterSet is common in the field; a readable answer with replacement characters
is worth more than a refusal. pydicom's own decoding warns, which no thread can switch off alone; so only its
tables are used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydicom.charset import CODES_TO_ENCODINGS, default_encoding, python_encoding

_FRAGMENTS = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
_DELIMITER = re.compile(rb"[\\^=\r\n\f\t]")  # each returns to the first character set (PS3.5 6.1.2.5.3)
_STATEFUL = ("iso2022_jp", "iso2022_jp_2")  # Python's codecs want their escape sequence


def encodings(specific_character_set: Sequence[str]) -> tuple[str, ...]:
    """Python names of the character sets; an unknown one is read as Latin-1, which has no invalid byte."""
    return tuple(python_encoding.get(term.strip(), default_encoding) for term in specific_character_set) or (
        default_encoding,
    )


def decode(value: bytes, names: Sequence[str]) -> str:
    """The text of a value, trailing padding removed. `names` come from `encodings`."""
    if b"\x1b" not in value:
        return _plain(value, names[0]).rstrip(" \0")
    return "".join(_fragment(part, names) for part in _FRAGMENTS.findall(value)).rstrip(" \0")


def _plain(value: bytes, name: str) -> str:
    return value.decode(name, errors="replace")


def _fragment(part: bytes, names: Sequence[str]) -> str:
    for code, name in CODES_TO_ENCODINGS.items():
        if part.startswith(code):
            head, rest = _until_delimiter(part, len(code))
            text = _plain(head if name in _STATEFUL else head[len(code) :], name)
            return text + _plain(rest, names[0])
    return _plain(part, names[0])


def _until_delimiter(part: bytes, start: int) -> tuple[bytes, bytes]:
    if part[:start].startswith(b"\x1b$") and not part.startswith(b"\x1b$)"):
        pairs = start  # two-byte sets in G0 share their bytes with the delimiters: step by pairs
        while pairs < len(part) and not _DELIMITER.match(part, pairs):
            pairs += 2
        return part[:pairs], part[pairs:]
    found = _DELIMITER.search(part, start)
    return (part[: found.start()], part[found.start() :]) if found else (part, b"")
