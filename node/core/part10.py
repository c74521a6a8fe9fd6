"""DICOM file format (PS3.10 section 7): file meta information before an encoded data set."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

from node import __version__
from node.errors import BadInstance

# A root of our own under 2.25 (PS3.5 B.2), drawn once for this product.
IMPLEMENTATION_CLASS_UID = "2.25.190146781526273826120936145817193421562"
IMPLEMENTATION_VERSION_NAME = f"MRICORE_{__version__.replace('.', '_')}"[:16]

PREAMBLE = bytes(128) + b"DICM"
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_MAX_META_BYTES = 1 << 16


@dataclass(frozen=True)
class Head:
    """What file meta information says, and where the data set begins."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set_at: int  # bytes from the start of the file


def file_head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble and file meta information for a data set that is stored as it was received."""
    before, after = _constant_meta(sop_class_uid, transfer_syntax_uid)
    meta = before + _element(0x0003, b"UI", sop_instance_uid) + after
    return PREAMBLE + struct.pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(meta)) + meta


@lru_cache(maxsize=256)
def _constant_meta(sop_class_uid: str, transfer_syntax_uid: str) -> tuple[bytes, bytes]:
    version = struct.pack("<HH2sHL", 0x0002, 0x0001, b"OB", 0, 2) + b"\x00\x01"
    before = version + _element(0x0002, b"UI", sop_class_uid)
    after = (
        _element(0x0010, b"UI", transfer_syntax_uid)
        + _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID)
        + _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME)
    )
    return before, after


def _element(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def read_head(start: bytes) -> Head:
    """Read preamble and file meta information from the first bytes of a file (64 KiB are plenty).

    Raises BadInstance when they are not those of a DICOM file.
    """
    if start[128:132] != b"DICM":
        raise BadInstance("not a DICOM file: the DICM prefix is missing (PS3.10 7.1)")
    found: dict[int, str] = {}
    at, ends_at, last = 132, 0, -1
    try:
        while at < min(len(start), _MAX_META_BYTES) and start[at : at + 2] == b"\x02\x00":
            if at == ends_at and not _goes_on(start[at + 2 : at + 6], last):
                break
            element, vr, length = struct.unpack_from("<H2sH", start, at + 2)
            value_at = at + 8
            if vr in _LONG_VRS:
                (length,) = struct.unpack_from("<L", start, value_at)
                value_at += 4
            if vr == b"UI":
                found[element] = start[value_at : value_at + length].decode("ascii", "replace").strip("\0 ")
            at, last = value_at + length, element
            if element == 0:
                ends_at = at + int.from_bytes(start[value_at:at], "little")
    except struct.error as cut:
        raise BadInstance("the file ends within its file meta information") from cut
    if not found.get(0x0010):
        raise BadInstance("file meta information has no Transfer Syntax UID (PS3.10 7.1)")
    return Head(found.get(0x0002, ""), found.get(0x0003, ""), found[0x0010], at)


def _goes_on(coming: bytes, last: int) -> bool:
    """Whether file meta information goes on where its group length says that it ends: that length is often wrong.

    But a data set may begin with these bytes too: a deflated one, or one that means harm.
    """
    return len(coming) == 4 and int.from_bytes(coming[:2], "little") > last and coming[2:].isalpha()
