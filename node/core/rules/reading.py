"""One element of one data set as a value that can be compared, or the reason why it cannot.

The bytes are read here and not through pydicom's conversion: what that does with malformed values depends on global
settings, and it may raise or warn. A rule must do neither, whatever arrives.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from decimal import Decimal

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.valuerep import PersonName

from node.core.rules.charset import decoded
from node.core.rules.folding import SHOWN_AT_MOST, fold, shown
from node.core.rules.kinds import READ, Kind, Value
from node.core.rules.mistakes import Wrong

VALUES_AT_MOST = 4096  # of one element


@dataclass(frozen=True, slots=True)
class Known:
    """A value, folded and typed; `shown` is what was received, for people."""

    values: tuple[Value, ...]
    shown: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No value to compare: missing, empty, malformed, or not the same throughout the series."""

    reason: str  # completes the sentence "SeriesDescription …", without the value
    present: bool = True  # the element is there and not empty
    shown: str = ""


Reading = Known | Unknown
MISSING = Unknown("is missing", present=False)
EMPTY = Unknown("is empty", present=False)

_BY_CHARACTER_SET = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # PS3.5 section 6.1.2.3
_ONE_VALUE = frozenset({"LT", "ST", "UT", "UR"})  # a backslash in these is text
_TEXT = _BY_CHARACTER_SET | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q", "US or SS": "H"}

Parts = list[str] | list[float]


def read_element(
    element: DataElement | RawDataElement | None, vr: str, kind: Kind, terms: tuple[str, ...], group: int | None = None
) -> Reading:
    """The element as a value of that kind. `vr` is the dictionary's, for files that do not carry their own.

    `group` is the component group of a name; None: all of them, each a value.
    """
    if element is None:
        return MISSING
    if kind in (Kind.SEQUENCE, Kind.OPAQUE):
        return _presence(element)
    if isinstance(element, RawDataElement):
        parts = _raw_parts(element, vr, terms)
    else:
        parts = _converted_parts(element, vr, terms)
    if isinstance(parts, Wrong):
        return Unknown(parts.what)
    if not any(part != "" for part in parts):
        return EMPTY
    return _typed(parts, kind, group)


def _presence(element: DataElement | RawDataElement) -> Reading:
    value = element.value
    deferred = isinstance(element, RawDataElement) and value is None and element.length > 0
    empty = not deferred and (value is None or (isinstance(value, Sized) and len(value) == 0))
    return EMPTY if empty else Known((), "present")


def _raw_parts(element: RawDataElement, vr: str, terms: tuple[str, ...]) -> Parts | Wrong:
    if not element.value:
        return Wrong("was not kept with the header") if element.value is None and element.length else []
    own = element.VR if element.VR not in (None, "UN") else vr
    return _from_bytes(element.value, own or "", terms, little_endian=element.is_little_endian)


def _from_bytes(value: bytes, vr: str, terms: tuple[str, ...], *, little_endian: bool) -> Parts | Wrong:
    if vr in _BINARY:
        return _numbers(value, vr, little_endian)
    if vr not in _TEXT:
        return Wrong(_not_comparable(vr))
    if vr not in _BY_CHARACTER_SET and not value.isascii():
        return Wrong(f"has letters outside ASCII, which VR {vr} does not allow")
    text = decoded(value, terms if vr in _BY_CHARACTER_SET else (), is_name=vr == "PN")
    return text if isinstance(text, Wrong) else _split(text, vr)


def _not_comparable(vr: str) -> str:
    if vr == "SQ":
        return "is a sequence"
    return "holds binary data" if vr.startswith("O") else "is of a type that is not known"


def _split(text: str, vr: str) -> Parts | Wrong:
    whole = [text] if vr in _ONE_VALUE else text.split("\\")
    if len(whole) > VALUES_AT_MOST:
        return Wrong(f"holds more than {VALUES_AT_MOST} values")
    return [part.strip(" \0") for part in whole]


def _numbers(value: bytes, vr: str, little_endian: bool) -> Parts | Wrong:
    code = _BINARY[vr]
    size = struct.calcsize("<" + code)
    if len(value) % size:
        return Wrong(f"has {len(value)} bytes, which are no whole values of {vr}")
    if len(value) // size > VALUES_AT_MOST:
        return Wrong(f"holds more than {VALUES_AT_MOST} values")
    numbers = [float(part) for (part,) in struct.iter_unpack(("<" if little_endian else ">") + code, value)]
    if vr == "US or SS" and max(numbers) >= 2**15:
        return Wrong("may be signed or not: the file does not say")
    return numbers


def _converted_parts(element: DataElement, vr: str, terms: tuple[str, ...]) -> Parts | Wrong:
    """Parts of an element that was built or already read by pydicom."""
    value = element.value
    if isinstance(value, bytes):
        return _from_bytes(value, vr if element.VR == "UN" else element.VR, terms, little_endian=True)
    if element.VR == "SQ":
        return Wrong("is a sequence")
    parts = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if len(parts) > VALUES_AT_MOST:
        return Wrong(f"holds more than {VALUES_AT_MOST} values")
    if parts and all(isinstance(part, int | float) and not isinstance(part, str) for part in parts):
        return [_float(part) for part in parts]
    texts = [_text_of(part) for part in parts]
    return next((text for text in texts if isinstance(text, Wrong)), None) or [str(text) for text in texts]


def _float(part: int | float) -> float:
    try:
        return float(part)
    except OverflowError:
        return math.inf


def _text_of(part: object) -> str | Wrong:
    if part is None:
        return ""
    if not isinstance(part, str | int | float | PersonName | Decimal):
        return Wrong("holds neither text nor numbers")
    try:
        text = str(part)
    except (UnicodeError, LookupError, ValueError, Warning):
        return Wrong("does not fit its SpecificCharacterSet")
    return Wrong("does not fit its SpecificCharacterSet") if "\ufffd" in text else text.strip(" \0")


def _typed(parts: Parts, kind: Kind, group: int | None) -> Reading:
    seen = _shown(parts)
    if kind in READ:
        return _measured(parts, kind, seen)
    texts = [_as_text(part) for part in parts]
    if kind is Kind.NAME:
        wanted = slice(None) if group is None else slice(group, group + 1)
        groups = [fold(one).rstrip("^ ") for text in texts for one in text.split("=")[wanted]]
        return Known(tuple(one for one in groups if one), seen) if any(groups) else EMPTY
    return Known(tuple(fold(text) for text in texts), seen)


def _measured(parts: Parts, kind: Kind, seen: str) -> Reading:
    read = READ[kind]
    values: list[float] = []
    for part in parts:
        if part == "":
            return Unknown("has an empty value among others", shown=seen)
        value = read(part) if isinstance(part, str) else part
        if value is None or not math.isfinite(value) or (kind is not Kind.NUMBER and not isinstance(part, str)):
            return Unknown(f"is not {kind}", shown=seen)
        values.append(value)
    return Known(tuple(values), seen)


def _as_text(part: str | float) -> str:
    return part if isinstance(part, str) else format(part, ".15g")


def _shown(parts: Parts) -> str:
    # One more value than fits is enough to see that it was cut.
    return shown("\\".join(_as_text(part)[: SHOWN_AT_MOST + 1] for part in parts[: SHOWN_AT_MOST + 1]))
