"""An encoded data set, looked at without decoding it: who is this instance?

Reception must not decode (a crafted data set could be slow or huge), so this walks over the top-level elements
only, skips every sequence and stops behind group 0020: some tens of microseconds an instance.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from node.errors import BadInstance

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"

HEAD_BYTES = 4 << 20  # identity must lie within the first 4 MiB of a data set
INFLATED_AT_MOST = 512 << 20  # bytes of a deflated data set that is held whole
_MAX_DEPTH = 64  # of nested sequences of undefined length

_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_STUDY, _SERIES = 0x0020000D, 0x0020000E
_WANTED = frozenset({_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES})
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


# What pydicom raises on cut or crafted bytes, while it reads them or while it converts their values.
UNREADABLE = (
    InvalidDicomError, BytesLengthException, ValueError, TypeError, KeyError, IndexError, AttributeError,
    NotImplementedError, ArithmeticError, EOFError, OSError, struct.error, zlib.error, RecursionError, MemoryError,
)  # fmt: skip

Stop = Callable[[BaseTag, str | None, int], bool]  # tag, VR, length


@dataclass(frozen=True)
class Uids:
    """The four UIDs of an instance; "" where the data set does not say."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str


UNKNOWN = Uids("", "", "", "")


def scan(head: bytes | bytearray | memoryview, transfer_syntax_uid: str) -> Uids:
    """Read the identity from the beginning of an encoded data set.

    `head` holds at most HEAD_BYTES from its start; a data set that is cut there is fine.
    Raises BadInstance when the bytes cannot be a data set of this transfer syntax.
    """
    if transfer_syntax_uid == DEFLATED:
        head = _inflate(head)
    walker = _Walker(
        bytes(head) if not isinstance(head, bytes) else head,
        little=transfer_syntax_uid != EXPLICIT_BIG_ENDIAN,
        explicit=transfer_syntax_uid != IMPLICIT_LITTLE_ENDIAN,
    )
    found = walker.find()
    return Uids(found.get(_SOP_CLASS, ""), found.get(_SOP_INSTANCE, ""), found.get(_STUDY, ""), found.get(_SERIES, ""))


def _inflate(head: bytes | bytearray | memoryview) -> bytes:
    """PS3.5 A.5: the data set is a raw deflate stream. Bounded, so that a bomb costs 4 MiB."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(bytes(head), HEAD_BYTES)
    except zlib.error as broken:
        raise BadInstance("the deflated data set cannot be inflated") from broken


def header(head: bytes, transfer_syntax_uid: str, *, stop_when: Stop | None = None) -> Dataset:
    """The elements up to the series' UID as a pydicom Dataset, or up to where `stop_when` says.

    Empty when the bytes cannot be read.
    """
    try:
        return read_dataset(
            BytesIO(_inflate(head) if transfer_syntax_uid == DEFLATED else head),
            is_implicit_VR=transfer_syntax_uid == IMPLICIT_LITTLE_ENDIAN,
            is_little_endian=transfer_syntax_uid != EXPLICIT_BIG_ENDIAN,
            stop_when=stop_when or _behind_identity,
        )
    except (*UNREADABLE, BadInstance):
        return Dataset()  # what pydicom raises on cut or crafted bytes; the UIDs were read without it


def _behind_identity(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) > _SERIES


class _Walker:
    """Walks over encoded elements (PS3.5 section 7.1) without making anything of their values."""

    def __init__(self, head: bytes, *, little: bool, explicit: bool) -> None:
        order = "<" if little else ">"
        self._head, self._explicit = head, explicit
        self._explicit_head = struct.Struct(order + "HH2sH")
        self._long = struct.Struct(order + "L")
        self._at = 0

    def find(self) -> dict[int, str]:
        found: dict[int, str] = {}
        last = -1
        try:
            while self._at + 8 <= len(self._head):
                tag, length = self._element()
                if tag <= last:
                    raise BadInstance("its elements are not in the order of their tags (PS3.5 7.1)")
                last = tag
                if tag > _SERIES:
                    break
                self._value(tag, length, found)
        except struct.error:
            pass  # cut in the middle of an element: what was found counts
        return found

    def _value(self, tag: int, length: int, found: dict[int, str]) -> None:
        if length == _UNDEFINED:
            self._skip_sequence(1)
            return
        if tag in _WANTED and self._at + length <= len(self._head):
            value = self._head[self._at : self._at + length]
            found[tag] = value.decode("ascii", "replace").strip("\0 ")
        self._at += length

    def _element(self) -> tuple[int, int]:
        """Read one element's tag and value length; leaves the position at the value."""
        group, element, vr, length = self._explicit_head.unpack_from(self._head, self._at)
        if not self._explicit or group == 0xFFFE:
            (length,) = self._long.unpack_from(self._head, self._at + 4)
            self._at += 8
        elif vr in _LONG_VRS:
            (length,) = self._long.unpack_from(self._head, self._at + 8)
            self._at += 12
        elif vr.isalpha() and vr.isupper():
            self._at += 8
        else:
            raise BadInstance("its bytes do not follow its transfer syntax (PS3.5 7.1.2)")
        return group << 16 | element, length

    def _skip_sequence(self, depth: int) -> None:
        """Go behind a sequence of undefined length (PS3.5 7.5.2)."""
        if depth > _MAX_DEPTH:
            raise BadInstance(f"its sequences are nested more than {_MAX_DEPTH} deep")
        while True:
            tag, length = self._element()
            if tag == _SEQUENCE_END:
                return
            if length != _UNDEFINED:
                self._at += length
            elif tag == _ITEM:
                self._skip_item(depth)
            else:
                raise BadInstance("a sequence holds something else than items (PS3.5 7.5)")

    def _skip_item(self, depth: int) -> None:
        while True:
            tag, length = self._element()
            if tag == _ITEM_END:
                return
            if length == _UNDEFINED:
                self._skip_sequence(depth + 1)
            else:
                self._at += length
