"""Values of the DICOM JSON Model (PS3.18 F.2.3) as they are encoded, in Explicit VR Little Endian.

Each is looked at before it is written: what its VR does not allow is refused, with the tag and without the value.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Sequence
from typing import Any

from node.core.dicomweb.model import Json
from node.errors import BadInstance

BINARY = {"OB": 1, "UN": 1, "OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}  # bytes of a word
TAG = re.compile(r"[0-9A-Fa-f]{8}")
LONGEST_SHORT = 0xFFFE  # bytes, of a VR that is not in LONG
LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})

_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_ASCII = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_TEXTS = _ASCII | {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}
VRS = _TEXTS | _NUMBERS.keys() | BINARY.keys() | {"SQ", "AT"}
_WHOLE = frozenset({"LT", "ST", "UT", "UR"})  # one value, backslashes and all
_FORMS = ("Alphabetic", "Ideographic", "Phonetic")
_LINES = "\t\n\f\r"


def bad(tag: int, what: str) -> BadInstance:
    return BadInstance(f"attribute ({tag >> 16:04X},{tag & 0xFFFF:04X}) {what}")


def values(tag: int, attribute: Json) -> list[Any]:
    found = attribute.get("Value", [])
    if not isinstance(found, list):
        raise bad(tag, "has a Value that is no array")
    return found


def value_bytes(tag: int, vr: str, attribute: Json) -> bytes:
    """The encoded value, of even length."""
    if vr in BINARY:
        return _binary(tag, vr, attribute)
    if "InlineBinary" in attribute:
        raise bad(tag, "has an InlineBinary, which its VR does not allow")
    each = values(tag, attribute)
    if vr in _NUMBERS or vr == "AT":
        encode = _tag_pair if vr == "AT" else _packed
        made = b"".join(encode(tag, vr, one) for one in each)
    else:
        made = _text(tag, vr, each)
    if len(made) > LONGEST_SHORT and vr not in LONG:
        raise bad(tag, "is longer than its VR allows")
    return made


def _binary(tag: int, vr: str, attribute: Json) -> bytes:
    if attribute.get("Value"):
        raise bad(tag, "has a Value where its VR wants InlineBinary or a BulkDataURI")
    text = attribute.get("InlineBinary", "")
    try:
        made = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        made = None
    if made is None or len(made) % BINARY[vr]:
        raise bad(tag, "has an InlineBinary that is not base64 of whole values")
    return made + b"\0" * (len(made) % 2)


def _packed(tag: int, vr: str, value: object) -> bytes:
    code = _NUMBERS[vr]
    try:
        number: float = value if isinstance(value, int | float) else _read(code, value)
        if code in "fd":
            return struct.pack(f"<{code}", float(number))
        if not float(number).is_integer():
            raise bad(tag, "is no whole number")
        return struct.pack(f"<{code}", int(number))
    except (struct.error, ValueError, OverflowError, TypeError) as wrong:
        raise bad(tag, f"is no number that a {vr} can be") from wrong


def _read(code: str, value: object) -> float:
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError(value)
    return float(value) if code in "fd" else int(value)


def _tag_pair(tag: int, _vr: str, value: object) -> bytes:
    if not isinstance(value, str) or not TAG.fullmatch(value):
        raise bad(tag, "is no tag of eight hexadecimal digits")
    return struct.pack("<HH", int(value[:4], 16), int(value[4:], 16))


def _text(tag: int, vr: str, each: Sequence[object]) -> bytes:
    if vr in _WHOLE and len(each) > 1:
        raise bad(tag, "has several values, which its VR does not allow")
    parts = [_one_text(tag, vr, value) for value in each]
    try:
        made = "\\".join(parts).encode("ascii" if vr in _ASCII else "utf-8")
    except UnicodeEncodeError as wrong:
        raise bad(tag, "has letters that its VR does not allow") from wrong
    return made + (b"\0" if vr == "UI" else b" ") * (len(made) % 2)


def _one_text(tag: int, vr: str, value: object) -> str:
    if value is None:
        return ""
    if vr == "PN":
        text = _name(tag, value)
    elif isinstance(value, str):
        text = value
    elif vr in ("DS", "IS") and isinstance(value, int | float) and not isinstance(value, bool):
        text = _decimal(tag, value) if vr == "DS" else _whole(tag, value)
    else:
        raise bad(tag, "has a value of a kind that its VR does not allow")
    allowed = _LINES if vr in ("LT", "ST", "UT") else ""
    if any((letter < " " and letter not in allowed) or letter == "\x7f" for letter in text):
        raise bad(tag, "has control characters")
    if "\\" in text and vr not in _WHOLE:
        raise bad(tag, "has a backslash within a value")
    return text


def _name(tag: int, value: object) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or not value.keys() <= set(_FORMS):
        raise bad(tag, "is no name of Alphabetic, Ideographic and Phonetic groups")
    groups = [value.get(form) or "" for form in _FORMS]
    if not all(isinstance(group, str) and "=" not in group for group in groups):
        raise bad(tag, "is no name of Alphabetic, Ideographic and Phonetic groups")
    return "=".join(groups).rstrip("=")


def _decimal(tag: int, number: float) -> str:
    """At most 16 letters (PS3.5 6.2)."""
    if isinstance(number, int) and abs(number) < 10**15:
        return str(number)
    try:
        found = float(number)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise bad(tag, "is no number that a DS can be")
    for digits in range(17, 0, -1):
        text = f"{found:.{digits}g}"
        if len(text) <= 16:
            return text
    raise bad(tag, "is no number that a DS can be")  # pragma: no cover # one digit is short enough


def _whole(tag: int, number: float) -> str:
    if not -(1 << 31) <= number < 1 << 31 or not float(number).is_integer():
        raise bad(tag, "is no number that an IS can be")
    return str(int(number))
