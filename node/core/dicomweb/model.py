"""A header as the DICOM JSON Model (PS3.18 F.2), whatever it holds.

Values are read from their stored bytes rather than through pydicom's conversion, which raises or warns on dirty values
and takes 1.6 s for a SEG of a thousand frames. What cannot be read is left out. Bulk data is named by URI; the URI
begins with BASE, which `based` replaces by where the node is reached.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from node.core.dicom.text import decode, encodings
from node.core.encoded import UNREADABLE

Json = dict[str, Any]

BASE = "\x01"  # no text value may hold it, so that nothing in a header is taken for it
INLINE_AT_MOST = 256  # bytes of a binary value that stand in the model itself
TEXT_AT_MOST = 1 << 16
_MOST_DEPTH = 16  # of nested sequences
_MOST_VALUES = 1 << 16

_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_BINARY = {"OB": 1, "UN": 1, "OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}  # bytes of a word
_WHOLE = frozenset({"ST", "LT", "UT", "UR"})  # one value, backslashes and all
_CHARSET = "00080005"


def model(ds: Dataset, bulk: str) -> Json:
    """The model of a data set; `bulk` is the URI, from BASE on, below which its bulk data is."""
    made = _Writer(encodings(_charset(ds)), bulk).dataset(ds, "", 0)
    if _CHARSET in made:
        made[_CHARSET] = {"vr": "CS", "Value": ["ISO_IR 192"]}  # JSON is UTF-8
    return made


def written(made: object) -> bytes:
    """As bytes, with BASE still in it."""
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def based(content: bytes, url: str) -> bytes:
    """With bulk data to be had below `url`, which ends with a slash."""
    return content.replace(b'"\\u0001', json.dumps(url).encode()[:-1])


def _charset(ds: Dataset) -> tuple[str, ...]:
    element = ds.get_item(0x00080005) if 0x00080005 in ds else None
    value = element.value if element is not None else None
    if isinstance(value, bytes):
        text = value.decode("latin-1")
    elif isinstance(value, str):
        text = value
    else:
        text = "\\".join(str(one) for one in value or ())
    return tuple(part.strip(" \0") for part in text.split("\\")) if text else ()


class _Writer:
    def __init__(self, names: Sequence[str], bulk: str) -> None:
        self._names, self._bulk = tuple(names), bulk

    def dataset(self, ds: Dataset, path: str, depth: int) -> Json:
        made: Json = {}
        for tag in sorted(ds.keys()):
            if tag.element == 0 or tag.group <= 0x0002:
                continue
            try:
                made[f"{int(tag):08X}"] = self._element(ds, tag, f"{path}{int(tag):08X}", depth)
            except UNREADABLE:
                continue
        return made

    def _element(self, ds: Dataset, tag: BaseTag, path: str, depth: int) -> Json:
        element = ds.get_item(tag)
        vr = _vr(ds, tag, element)
        if vr == "SQ":
            return self._sequence(ds, tag, path, depth)
        value = element.value
        little = getattr(element, "is_little_endian", True)
        if value is None or value in (b"", ""):
            return {"vr": vr}
        if not isinstance(value, bytes):  # pydicom converted it already: SpecificCharacterSet, for one
            parts = [value] if isinstance(value, str) or not isinstance(value, Sequence) else list(value)
            return {"vr": vr, "Value": [_read(vr, part) for part in parts]}
        if vr in _BINARY:
            return self._binary(vr, value, path, little=little)
        if vr in _NUMBERS or vr == "AT":
            return _with(vr, _unpacked(vr, value, little=little))
        return self._text(vr, value, path)

    def _sequence(self, ds: Dataset, tag: BaseTag, path: str, depth: int) -> Json:
        if depth >= _MOST_DEPTH:
            return {"vr": "SQ"}
        items = list(ds[tag].value or ())
        return _with("SQ", [self._item(item, f"{path}.{n}.", depth) for n, item in enumerate(items, 1)])

    def _item(self, item: Dataset, path: str, depth: int) -> Json:
        if 0x00080005 not in item:
            return self.dataset(item, path, depth + 1)
        return _Writer(encodings(_charset(item)), self._bulk).dataset(item, path, depth + 1)

    def _binary(self, vr: str, value: bytes, path: str, *, little: bool) -> Json:
        if len(value) > INLINE_AT_MOST:
            return {"vr": vr, "BulkDataURI": f"{self._bulk}{path}"}
        size = _BINARY[vr]
        if not little and size > 1:
            value = b"".join(value[at : at + size][::-1] for at in range(0, len(value), size))
        return {"vr": vr, "InlineBinary": base64.b64encode(value).decode()}

    def _text(self, vr: str, value: bytes, path: str) -> Json:
        if len(value) > TEXT_AT_MOST:
            return {"vr": vr, "BulkDataURI": f"{self._bulk}{path}"}
        text = decode(value, self._names).replace(BASE, "")
        if vr in _WHOLE:
            return _with(vr, [text] if text else [])
        parts = [part.strip(" \0") for part in text.split("\\")][:_MOST_VALUES]
        read = _READ.get(vr, _plain)
        return _with(vr, [read(part) if part else None for part in parts])


def _read(vr: str, value: Any) -> str | int | float:
    """A value that pydicom has converted, as JSON writes it (PS3.18 F.2.3)."""
    if vr == "AT":
        return f"{int(value):08X}"
    return value if vr in _NUMBERS and isinstance(value, int | float) else str(value)


def _vr(ds: Dataset, tag: BaseTag, element: DataElement | RawDataElement) -> str:
    """The VR as stored, else that of the dictionary (PS3.6), with the usual choice where it leaves one."""
    stored = getattr(element, "VR", None)
    if stored and stored != "UN" and len(stored) == 2:
        return str(stored)
    if tag.group % 2:
        return "LO" if 0x10 <= tag.element <= 0xFF else "UN"
    try:
        known = dictionary_VR(tag)
    except KeyError:
        return "UN"
    if known == "US or SS":
        return "SS" if ds.get("PixelRepresentation") == 1 else "US"
    return {"OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}.get(known, known)


def _with(vr: str, values: list[Any]) -> Json:
    return {"vr": vr, "Value": values} if any(value is not None for value in values) else {"vr": vr}


def _unpacked(vr: str, value: bytes, *, little: bool) -> list[Any]:
    order = "<" if little else ">"
    if vr == "AT":
        count = len(value) // 4
        pairs = struct.unpack(f"{order}{2 * count}H", value[: 4 * count])
        return [f"{group:04X}{element:04X}" for group, element in zip(pairs[::2], pairs[1::2], strict=True)]
    code = _NUMBERS[vr]
    count = min(len(value) // struct.calcsize(code), _MOST_VALUES)
    found = struct.unpack(f"{order}{count}{code}", value[: count * struct.calcsize(code)])
    return [one if isinstance(one, int) or math.isfinite(one) else _not_finite(one) for one in found]


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else ("inf" if value > 0 else "-inf")  # PS3.18 F.2.3


def _plain(text: str) -> object:
    return text


def _number(text: str) -> object:
    """DS and IS as numbers; as the text it is when it is none."""
    if len(text) > 64 or "_" in text:
        return text[:64]
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number == int(number) and abs(number) < 1 << 53 else number


def _name(text: str) -> object:
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("="), strict=False)
    return {form: group for form, group in groups if group}


_READ: dict[str, Callable[[str], object]] = {"DS": _number, "IS": _number, "PN": _name}
