"""The DICOM JSON Model (PS3.18 F.2) as an encoded data set, in Explicit VR Little Endian or with encoded pixels.

The model is whatever somebody sent. Bulk data is not held: it stays where it came, and its place is handed on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydicom.datadict import dictionary_VR

from node.core.dicomweb.codestreams import Codestream, codestream
from node.core.dicomweb.model import Json
from node.core.dicomweb.pixels import Span
from node.core.dicomweb.values import BINARY, LONG, LONGEST_SHORT, TAG, VRS, bad, value_bytes, values
from node.errors import BadInstance

EXPLICIT = "1.2.840.10008.1.2.1"
OCTETS = "application/octet-stream"

Piece = bytes | Span  # encoded bytes, or where they lie in what came
Read = Callable[[int, int], bytes]  # bytes of what came, from an offset on

_PLAIN = ("", EXPLICIT, "1.2.840.10008.1.2")
_UNDEFINED = 0xFFFFFFFF
_MOST_DEPTH = 16
_CHARSET, _PIXELS = 0x00080005, 0x7FE00010
_MOST_FRAME = 1 << 31
_ITEM, _ITEM_END, _END = (struct.pack("<HHL", 0xFFFE, element, 0) for element in (0xE000, 0xE00D, 0xE0DD))


@dataclass(frozen=True)
class Part:
    """Bulk data that came apart from the metadata."""

    media_type: str
    transfer_syntax: str  # "" when its sender did not say
    span: Span


Bulk = Callable[[str], Sequence[Part]]


@dataclass(frozen=True)
class Encoded:
    """A data set, piece by piece."""

    pieces: Sequence[Piece]
    transfer_syntax_uid: str


def encoded(model: Json, bulk: Bulk, read: Read) -> Encoded:
    """Encode the model of one instance. `bulk`: the parts that came under a URI, several for the frames of an image.

    Raises BadInstance for a model that is none, for bulk data that did not come, or that is not what the model says.
    """
    return _Encoder(bulk, read).instance(model)


def uid_of(model: Json, tag: str) -> str:
    """The value of a UID as it was sent; "" when there is none."""
    attribute = model.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return values[0].strip() if isinstance(values, list) and values and isinstance(values[0], str) else ""


@dataclass
class _Encoder:
    bulk: Bulk
    read: Read
    syntax: str = EXPLICIT
    depth: int = field(default=0)

    def instance(self, model: Json) -> Encoded:
        found = _attributes(model)
        if _PIXELS in found:
            found |= self._described(found)
        found[_CHARSET] = {"vr": "CS", "Value": ["ISO_IR 192"]}  # JSON is UTF-8 (PS3.18 F.2.1)
        pieces = list(_joined(self._dataset(found)))
        return Encoded(pieces, self.syntax)

    def _dataset(self, found: Mapping[int, Json]) -> Iterator[Piece]:
        for tag in sorted(found):
            yield from self._element(tag, found[tag])

    def _element(self, tag: int, attribute: Json) -> Iterator[Piece]:
        vr = _vr(tag, attribute)
        uri = attribute.get("BulkDataURI")
        if sum(key in attribute for key in ("Value", "InlineBinary", "BulkDataURI")) > 1:
            raise bad(tag, "has its value in more than one way")
        if tag == _PIXELS and not self.depth and self.syntax != EXPLICIT:
            yield from self._encapsulated(tag, self._parts(tag, uri))
        elif vr == "SQ":
            yield from self._sequence(tag, attribute)
        elif uri is not None:
            yield from self._bulk(tag, vr, uri)
        else:
            value = value_bytes(tag, vr, attribute)
            yield _head(tag, vr, len(value)) + value

    def _sequence(self, tag: int, attribute: Json) -> Iterator[Piece]:
        items = values(tag, attribute)
        if "InlineBinary" in attribute or "BulkDataURI" in attribute or self.depth >= _MOST_DEPTH:
            raise bad(tag, f"is no sequence of at most {_MOST_DEPTH} levels")
        yield _head(tag, "SQ", _UNDEFINED)
        self.depth += 1
        for item in items:
            yield _ITEM[:4] + struct.pack("<L", _UNDEFINED)
            if item is not None:
                yield from self._dataset(_attributes(item))
            yield _ITEM_END
        self.depth -= 1
        yield _END

    def _parts(self, tag: int, uri: object) -> Sequence[Part]:
        found = self.bulk(uri) if isinstance(uri, str) else ()
        if not found:
            raise bad(tag, "names bulk data that did not come")
        return found

    def _bulk(self, tag: int, vr: str, uri: object) -> Iterator[Piece]:
        parts = self._parts(tag, uri)
        (at, size), kind = parts[0].span, parts[0].media_type
        if len(parts) > 1 or kind not in ("", OCTETS) or parts[0].transfer_syntax not in _PLAIN:
            raise bad(tag, f"has bulk data that is not one part of {OCTETS}")
        if size % BINARY.get(vr, 1):
            raise bad(tag, "has bulk data that is not a whole number of its values")
        yield _head(tag, vr, size + size % 2)
        yield at, size
        if size % 2:
            yield b"\0" if vr in BINARY else b" "

    def _encapsulated(self, tag: int, parts: Sequence[Part]) -> Iterator[Piece]:
        """Each frame in one fragment (PS3.5 A.4), without an offset table."""
        yield _head(tag, "OB", _UNDEFINED) + _ITEM
        for part in parts:
            at, size = part.span
            yield _ITEM[:4] + struct.pack("<L", size + size % 2)
            yield at, size
            if size % 2:
                yield b"\0"
        yield _END

    def _described(self, found: Mapping[int, Json]) -> dict[int, Json]:
        """What is to be added to describe the pixels. Raises BadInstance where they are not what is said of them."""
        attribute = found[_PIXELS]
        uri = attribute.get("BulkDataURI")
        if uri is None:
            size = len(value_bytes(_PIXELS, _vr(_PIXELS, attribute), attribute))
        else:
            parts = self._parts(_PIXELS, uri)
            if parts[0].media_type not in ("", OCTETS) or parts[0].transfer_syntax not in _PLAIN:
                return self._compressed(found, parts)
            size = parts[0].span[1]
        if 8 * size < _frame_bits(found) * _frames(found):
            raise bad(_PIXELS, "has fewer bytes than Rows, Columns, Bits Allocated and Number of Frames ask for")
        return {}

    def _compressed(self, found: Mapping[int, Json], parts: Sequence[Part]) -> dict[int, Json]:
        if len(parts) != _frames(found):
            raise bad(_PIXELS, "came in another number of parts than it has frames: compressed, each is a part")
        kinds = {(part.media_type, part.transfer_syntax) for part in parts}
        if len(kinds) > 1:
            raise bad(_PIXELS, "came in parts of several media types")
        ((kind, syntax),) = kinds
        seen = {codestream(kind, syntax, self._start(part)) for part in parts}
        if len(seen) > 1:
            raise bad(_PIXELS, "came in parts that are not encoded alike")
        (stream,) = seen
        self.syntax = stream.transfer_syntax_uid
        return _description(found, stream)

    def _start(self, part: Part) -> bytes:
        at, size = part.span
        return self.read(at, min(size, 1 << 16))


def _description(found: Mapping[int, Json], stream: Codestream) -> dict[int, Json]:
    """The Image Pixel Description as the codestream has it, where the model lacks it (PS3.18 10.5.2)."""
    added: dict[int, Json] = {}
    for tag, vr, value in stream.description:
        if tag not in found:
            added[tag] = {"vr": vr, "Value": [value]}
        elif tag in stream.fixed and _number(found, tag, 0) != value:
            raise bad(tag, "says something else than the compressed pixels do")
    for tag in stream.needed:
        if tag not in found:
            raise bad(tag, "is missing, and the compressed pixels do not tell it")
    if stream.segments and stream.segments * 8 != _number(found, 0x00280002, 1) * _number(found, 0x00280100, 0):
        raise bad(_PIXELS, "has another number of RLE segments than samples and bits ask for (PS3.5 G.5)")
    return added


def _attributes(model: object) -> dict[int, Json]:
    if not isinstance(model, dict):
        raise BadInstance("an instance, or an item of a sequence, is no object of attributes (PS3.18 F.2.2)")
    found: dict[int, Json] = {}
    for name, attribute in model.items():
        if not TAG.fullmatch(name) or not isinstance(attribute, dict):
            raise BadInstance("an attribute is not named by eight hexadecimal digits, or is no object (PS3.18 F.2.2)")
        tag = int(name, 16)
        group, element = tag >> 16, tag & 0xFFFF
        if group <= 0x0002 or element == 0 or group == 0xFFFE:
            continue  # of commands, of files, lengths of groups, delimiters: they are made anew
        if tag in found:
            raise bad(tag, "is there twice")
        found[tag] = attribute
    return found


def _vr(tag: int, attribute: Json) -> str:
    vr = attribute.get("vr")
    if vr is None:
        try:
            vr = dictionary_VR(tag)
        except KeyError:
            vr = None
    if not isinstance(vr, str) or vr not in VRS:
        raise bad(tag, "has no VR of the standard")
    return vr


def _number(found: Mapping[int, Json], tag: int, default: int) -> int:
    values = found.get(tag, {}).get("Value")
    first = values[0] if isinstance(values, list) and values else None
    try:
        number = int(first) if isinstance(first, int | float | str) else default
    except (ValueError, OverflowError):
        number = 0
    return number if 0 <= number <= _MOST_FRAME else 0


def _frames(found: Mapping[int, Json]) -> int:
    return max(1, _number(found, 0x00280008, 1))


def _frame_bits(found: Mapping[int, Json]) -> int:
    bits = _number(found, 0x00280002, 1)
    for tag in (0x00280010, 0x00280011, 0x00280100):
        bits *= _number(found, tag, 0)
    if not bits:
        raise bad(_PIXELS, "is not described: Rows, Columns or Bits Allocated are missing")
    photometric = found.get(0x00280004, {}).get("Value")
    return bits // 3 * 2 if photometric == ["YBR_FULL_422"] else bits


def _head(tag: int, vr: str, length: int) -> bytes:
    if vr in LONG:
        if length > _UNDEFINED:
            raise bad(tag, "is longer than a file can hold")
        return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    if length > LONGEST_SHORT:
        raise bad(tag, "is longer than its VR allows")
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Neighbouring bytes as one."""
    gathered = bytearray()
    for piece in pieces:
        if isinstance(piece, bytes):
            gathered += piece
            continue
        if gathered:
            yield bytes(gathered)
            gathered.clear()
        yield piece
    if gathered:
        yield bytes(gathered)
