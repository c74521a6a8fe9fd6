"""Data elements as the bytes that they have in a file: Explicit VR Little Endian (PS3.5 7.1.2).

For sequences of hundreds of items that differ in a UID or a number. A data set holds such a sequence undecoded, as if
it had been read from a file: pydicom decodes it when somebody looks into it, and writes it as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

_SHORT = struct.Struct("<HH2sH")  # tag, VR, length
_LONG = struct.Struct("<HH2sHI")  # tag, VR, reserved, length: for SQ, of the value representations here
_ITEM = struct.Struct("<HHI")  # Item tag (FFFE,E000) and length (PS3.5 7.5)


def element(keyword: str, value: str | bytes) -> bytes:
    """One data element, of text in the default repertoire or of bytes; padded to an even length (PS3.5 6.2)."""
    group, number, vr = _known(keyword)
    content = value.encode("ascii") if isinstance(value, str) else value
    content += (b"\0" if vr == b"UI" else b" ") * (len(content) % 2)
    return _SHORT.pack(group, number, vr, len(content)) + content


def sequence(keyword: str, *items: bytes) -> bytes:
    """A sequence of items whose elements are given as bytes, in the order of their tags."""
    content = _items(items)
    return _LONG.pack(*_known(keyword), 0, len(content)) + content


def undecoded(keyword: str, items: Iterable[bytes]) -> RawDataElement:
    """The same as an element for a data set."""
    content = _items(items)
    return RawDataElement(Tag(tag_for_keyword(keyword) or 0), "SQ", len(content), content, 0, False, True)


def reference(sop_class_uid: str, sop_instance_uid: str, frame: int | None = None) -> bytes:
    """A reference to an instance, or to one frame of it (PS3.3 10.3)."""
    whole = element("ReferencedSOPClassUID", sop_class_uid) + element("ReferencedSOPInstanceUID", sop_instance_uid)
    return whole if frame is None else whole + element("ReferencedFrameNumber", str(frame))


def code(value: str, scheme: str, meaning: str) -> bytes:
    """An item of a Code Sequence (PS3.3 8.8)."""
    return element("CodeValue", value) + element("CodingSchemeDesignator", scheme) + element("CodeMeaning", meaning)


def _items(contents: Iterable[bytes]) -> bytes:
    return b"".join(_ITEM.pack(0xFFFE, 0xE000, len(content)) + content for content in contents)


@cache
def _known(keyword: str) -> tuple[int, int, bytes]:
    tag = Tag(tag_for_keyword(keyword) or 0)
    return tag.group, tag.element, dictionary_VR(tag).encode()
