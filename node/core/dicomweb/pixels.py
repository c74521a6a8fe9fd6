"""Where the frames of an image lie in its file, and one-bit frames that begin in the middle of a byte."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np

MOST_FRAMES = 1 << 20
_ITEM, _DELIMITER = 0xFFFEE000, 0xFFFEE0DD
_MOST_FRAGMENTS = 1 << 20

Span = tuple[int, int]  # offset in the file, bytes


@dataclass(frozen=True)
class PixelPlace:
    """The pixels of a stored file."""

    tag: str  # of the element: 7FE00010, or those of float and double float pixel data
    vr: str
    frames: int
    frame_bits: int  # of a native frame; 0 when they are encapsulated
    at: int  # of the value
    length: int  # of the value; -1 when they are encapsulated
    spans: tuple[tuple[Span, ...], ...] = ()  # per encapsulated frame its fragments; () when nobody could tell

    @property
    def encapsulated(self) -> bool:
        return self.length < 0

    def native_span(self, number: int) -> tuple[Span, int]:
        """Where the bytes of a native frame, from 1, lie, and how many bits of the first byte are another frame's.

        Raises IndexError for a frame that the file does not hold.
        """
        first = (number - 1) * self.frame_bits
        begin, end = first // 8, -(-(first + self.frame_bits) // 8)
        if not 1 <= number <= self.frames or end > self.length or not self.frame_bits:
            raise IndexError(number)
        return (self.at + begin, end - begin), first % 8


def place_of(stored: Mapping[str, Any]) -> PixelPlace:
    """A place from its JSON form, which is `vars`."""
    spans = tuple(tuple((int(at), int(size)) for at, size in frame) for frame in stored["spans"])
    return PixelPlace(**{**stored, "spans": spans})


def realigned(content: bytes, shift: int, bits: int) -> bytes:
    """One-bit pixels that begin at bit `shift` of the first byte, moved to the border of a byte (PS3.5 8.1.1).

    The least significant bit is the first pixel. Bits after the last pixel are zero.
    """
    if shift == 0 and bits % 8 == 0:
        return content
    pixels = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")[shift : shift + bits]
    return np.packbits(pixels, bitorder="little").tobytes()


def fragments(file: BinaryIO, size: int) -> tuple[list[Span], bytes] | None:
    """The fragments from the file's position on, and the basic offset table (PS3.5 A.4); None when it is damaged."""
    found: list[Span] = []
    table: bytes | None = None
    while len(found) < _MOST_FRAGMENTS:
        header = file.read(8)
        if len(header) < 8:
            return None
        group, element, length = struct.unpack("<HHL", header)
        tag, at = group << 16 | element, file.tell()
        if tag == _DELIMITER:
            return found, table or b""
        if tag != _ITEM or at + length > size:
            return None
        if table is None:
            table = file.read(length)
        else:
            found.append((at, length))
            file.seek(at + length)
    return None


def frame_spans(found: Sequence[Span], table: bytes, frames: int) -> tuple[tuple[Span, ...], ...]:
    """The fragments of each frame; () when the file does not say which are whose."""
    if frames == 1:
        return (tuple(found),) if found else ()
    if len(found) == frames:
        return tuple((span,) for span in found)
    starts = struct.unpack(f"<{len(table) // 4}L", table[: len(table) // 4 * 4])
    if len(starts) != frames or not found:
        return ()
    zero = found[0][0] - 8
    places = {at - 8 - zero: number for number, (at, _) in enumerate(found)}
    begins = [places.get(start, -1) for start in starts]
    if begins[0] != 0 or any(a >= b for a, b in pairwise(begins)):
        return ()
    return tuple(tuple(found[a:b]) for a, b in zip(begins, [*begins[1:], len(found)], strict=True))
