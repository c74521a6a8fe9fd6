"""Bytes to text by Specific Character Set (PS3.3 C.12.1.1.2), or the reason why not.

A text that cannot be read for certain is unknown: no replacement characters, no fallback to another alphabet.
"""

from __future__ import annotations

from pydicom.charset import decode_bytes, python_encoding

from node.core.rules.mistakes import Wrong

ESCAPE = 0x1B
LENGTH_AT_MOST = 64 * 1024  # bytes of one text value

_DEFAULT_REPERTOIRE = python_encoding[""]  # ISO_IR 6 is ASCII, though pydicom reads it as Latin-1
_DELIMITERS = {0x09, 0x0A, 0x0C, 0x0D, 0x5C}  # PS3.5 section 6.1.2.5.3
_DELIMITERS_OF_NAMES = _DELIMITERS | {0x5E, 0x3D}


def decoded(value: bytes, terms: tuple[str, ...], is_name: bool = False) -> str | Wrong:
    """The text of a value whose data set declares these character sets."""
    if len(value) > LENGTH_AT_MOST:
        return Wrong(f"is longer than {LENGTH_AT_MOST} bytes")
    if value.isascii() and ESCAPE not in value:
        return value.decode("ascii")
    encodings = [python_encoding.get(_defined(term)) for term in terms] if any(terms) else []
    if not encodings:
        return Wrong("has letters outside ASCII and no SpecificCharacterSet says which")
    known = [encoding for encoding in encodings if encoding]
    if len(known) < len(encodings):
        return Wrong("is in a character set that is not known")
    return _decoded(value, known, is_name)


def _decoded(value: bytes, encodings: list[str], is_name: bool) -> str | Wrong:
    unreadable = Wrong("does not fit its SpecificCharacterSet")
    try:
        if ESCAPE not in value:
            return value.decode("ascii" if encodings[0] == _DEFAULT_REPERTOIRE else encodings[0])
        text = decode_bytes(value, encodings, _DELIMITERS_OF_NAMES if is_name else _DELIMITERS)
    except (UnicodeError, LookupError, Warning):
        return unreadable
    return unreadable if "\ufffd" in text else text


def _defined(term: str) -> str:
    """The defined term of PS3.3 C.12.1.1.2 that common misspellings mean."""
    upper = term.strip(" \0").upper().replace("-", " ").replace("ISO_", "ISO ")
    for prefix in ("ISO IR ", "ISO IR", "ISOIR"):
        if upper.startswith(prefix):
            return "ISO_IR " + upper[len(prefix) :].strip()
    return upper
