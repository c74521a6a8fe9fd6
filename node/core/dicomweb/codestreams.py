"""What a compressed frame says of itself: its transfer syntax, its size, its samples.

Only the first markers are read, nothing is decoded. So metadata that was sent with compressed pixels can be held
against them, and described from them (PS3.18 10.5.2).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from node.errors import BadInstance

JPEG, JLS, JP2, JPHC, RLE = "image/jpeg", "image/jls", "image/jp2", "image/jphc", "image/dicom-rle"

_UID = "1.2.840.10008.1.2."
_ROWS, _COLUMNS, _SAMPLES, _ALLOCATED = 0x00280010, 0x00280011, 0x00280002, 0x00280100
_STORED, _HIGH, _SIGNED, _PHOTOMETRIC, _PLANAR = 0x00280101, 0x00280102, 0x00280103, 0x00280004, 0x00280006

# Of a transfer syntax that the frame shows, those that may hold it as well.
_ALSO = {
    "4.70": ("4.57",), "4.80": ("4.81",), "4.90": ("4.91",), "4.201": ("4.202", "4.203"), "4.50": ("4.51",),
}  # fmt: skip
_PREFIXES = {"5": RLE, "4.5": JPEG, "4.7": JPEG, "4.8": JLS, "4.9": JP2, "4.20": JPHC}


@dataclass(frozen=True)
class Codestream:
    """A compressed frame."""

    transfer_syntax_uid: str
    description: tuple[tuple[int, str, int | str], ...] = ()  # tag, VR, value
    fixed: frozenset[int] = frozenset({_ROWS, _COLUMNS, _SAMPLES})  # which of it the metadata may not contradict
    needed: tuple[int, ...] = ()  # tags that the metadata must have
    segments: int = 0  # of RLE


@dataclass(frozen=True)
class _Seen:
    """What its markers say."""

    syntax: str
    rows: int
    columns: int
    samples: int
    bits: int
    signed: bool = False
    colour: str = "RGB"


def codestream(media_type: str, transfer_syntax_uid: str, start: bytes) -> Codestream:
    """Read the start (64 KiB) of a frame of this media type; `transfer_syntax_uid` as its sender said, or "".

    Raises BadInstance when the bytes are not that.
    """
    kind = _kind(media_type, transfer_syntax_uid)
    try:
        if kind == RLE:
            return _rle(start)
        seen = _READERS[kind](start)
    except (struct.error, IndexError) as cut:
        raise BadInstance(f"the pixels are not {kind}: they end within their first markers") from cut
    shown = _UID + seen.syntax
    if transfer_syntax_uid and transfer_syntax_uid not in (shown, *(_UID + one for one in _ALSO.get(seen.syntax, ()))):
        raise BadInstance("the pixels are not in the transfer syntax that their part names")
    return Codestream(transfer_syntax_uid or shown, _description(seen))


def _kind(media_type: str, transfer_syntax_uid: str) -> str:
    if media_type in _READERS or media_type == RLE:
        return media_type
    if media_type in ("", "application/octet-stream") and transfer_syntax_uid.startswith(_UID):
        rest = transfer_syntax_uid.removeprefix(_UID)
        known = next((kind for prefix, kind in _PREFIXES.items() if rest.startswith(prefix)), "")
        if known:
            return known
    raise BadInstance("pixels are taken uncompressed, or as image/jpeg, image/jls, image/jp2, image/jphc or RLE")


def _description(seen: _Seen) -> tuple[tuple[int, str, int | str], ...]:
    if not (seen.rows and seen.columns and seen.bits <= 32 and seen.samples in (1, 3)):
        raise BadInstance("the compressed pixels are of a size, depth or number of samples that no image here has")
    allocated = 8 if seen.bits <= 8 else 16 if seen.bits <= 16 else 32
    grey = seen.samples == 1
    found: tuple[tuple[int, str, int | str], ...] = (
        (_SAMPLES, "US", seen.samples), (_PHOTOMETRIC, "CS", "MONOCHROME2" if grey else seen.colour),
        (_ROWS, "US", seen.rows), (_COLUMNS, "US", seen.columns), (_ALLOCATED, "US", allocated),
        (_STORED, "US", seen.bits), (_HIGH, "US", seen.bits - 1), (_SIGNED, "US", int(seen.signed)),
    )  # fmt: skip
    return found if grey else (*found, (_PLANAR, "US", 0))


def _jpeg(start: bytes) -> _Seen:
    """ITU-T T.81: baseline, extended, or lossless."""
    if start[:2] != b"\xff\xd8":
        raise BadInstance("the pixels are not image/jpeg")
    for marker, at in _markers(start):
        if marker in (0xC0, 0xC1, 0xC3):
            bits, rows, columns, samples = struct.unpack_from(">BHHB", start, at)
            syntax = {0xC0: "4.50", 0xC1: "4.51"}.get(marker) or _lossless(start)
            return _Seen(syntax, rows, columns, samples, bits, colour="RGB" if marker == 0xC3 else "YBR_FULL_422")
        if 0xC2 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            break
    raise BadInstance("the pixels are JPEG of a process that DICOM has no transfer syntax for")


def _lossless(start: bytes) -> str:
    """Selection value 1 has a transfer syntax of its own."""
    for marker, at in _markers(start):
        if marker == 0xDA:
            return "4.70" if start[at + 1 + 2 * start[at]] == 1 else "4.57"
    raise BadInstance("the pixels are JPEG without a scan")


def _jls(start: bytes) -> _Seen:
    """ITU-T T.87."""
    if start[:2] != b"\xff\xd8":
        raise BadInstance("the pixels are not image/jls")
    frame: tuple[int, int, int, int] | None = None
    for marker, at in _markers(start):
        if marker == 0xF7:
            frame = struct.unpack_from(">BHHB", start, at)
        if marker == 0xDA and frame:
            near = start[at + 1 + 2 * start[at]]
            bits, rows, columns, samples = frame
            return _Seen("4.81" if near else "4.80", rows, columns, samples, bits)
    raise BadInstance("the pixels are not image/jls")


def _j2k(start: bytes) -> _Seen:
    """ITU-T T.800 and T.814: the bare codestream, as DICOM has it, not a JP2 file."""
    if start[:4] != b"\xff\x4f\xff\x51":
        raise BadInstance("the pixels are no JPEG 2000 codestream: send it without the boxes of a JP2 file")
    _, width, height, left, top = struct.unpack_from(">HLLLL", start, 6)
    samples, depth = struct.unpack_from(">HB", start, 40)
    for marker, at in _markers(start):
        if marker == 0x52:
            transform_of_colour, style, wavelet = start[at + 4], start[at + 8], start[at + 9]
            reversible = wavelet == 1
            syntax = ("4.201" if reversible else "4.203") if style & 0x40 else ("4.90" if reversible else "4.91")
            colour = "RGB" if not transform_of_colour else "YBR_RCT" if reversible else "YBR_ICT"
            return _Seen(syntax, height - top, width - left, samples, (depth & 0x7F) + 1, bool(depth & 0x80), colour)
    raise BadInstance("the pixels are JPEG 2000 without coding parameters")


def _markers(start: bytes) -> list[tuple[int, int]]:
    """Markers with a length, and where what they say begins; up to the first scan."""
    found, at = [], 2
    while at + 4 <= len(start):
        if start[at] != 0xFF:
            break
        if start[at + 1] == 0xFF:  # fill bytes
            at += 1
            continue
        (length,) = struct.unpack_from(">H", start, at + 2)
        found.append((start[at + 1], at + 4))
        if start[at + 1] in (0xDA, 0x93) or length < 2:
            break
        at += 2 + length
    return found


def _rle(start: bytes) -> Codestream:
    """PS3.5 G.5: how many segments; nothing of the image."""
    (segments,) = struct.unpack_from("<L", start, 0)
    if not 1 <= segments <= 15 or struct.unpack_from("<L", start, 4)[0] != 64:
        raise BadInstance("the pixels are not RLE (PS3.5 G.5)")
    needed = (_SAMPLES, _PHOTOMETRIC, _ROWS, _COLUMNS, _ALLOCATED, _STORED, _HIGH, _SIGNED)
    return Codestream(f"{_UID}5", needed=needed, segments=segments)


_READERS: Mapping[str, Callable[[bytes], _Seen]] = {JPEG: _jpeg, JLS: _jls, JP2: _j2k, JPHC: _j2k}
