"""Transfer syntaxes and their media types (PS3.18 tables 8.7.3-2 to -5)."""

from __future__ import annotations

from importlib.util import find_spec

from node.core.dicomweb.accept import Wish

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
OCTETS = "application/octet-stream"

_TYPES = {
    "image/dicom-rle": ("1.2.840.10008.1.2.5",),
    "image/jpeg": (
        "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57",
    ),
    "image/jls": ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"),
    "image/jp2": ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"),
    "image/jpx": ("1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93"),
    "image/jphc": ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"),
    "video/mpeg2": ("1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101"),
    "video/mp4": ("1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.103"),
}  # fmt: skip
_TYPE_OF = {syntax: kind for kind, syntaxes in _TYPES.items() for syntax in syntaxes}

# What pixels can be encoded in without loss, by media type.
MADE = {
    OCTETS: EXPLICIT,
    "image/dicom-rle": "1.2.840.10008.1.2.5",
    "image/jls": "1.2.840.10008.1.2.4.80",
    "image/jp2": "1.2.840.10008.1.2.4.90",
    **({"image/jphc": "1.2.840.10008.1.2.4.201"} if find_spec("imagecodecs") else {}),  # an optional package
}
MADE_SYNTAXES = frozenset(MADE.values())


def frame_type(transfer_syntax_uid: str) -> str:
    """The media type of a frame as it is stored."""
    return _TYPE_OF.get(transfer_syntax_uid, OCTETS)


def is_plain(transfer_syntax_uid: str) -> bool:
    """Whether pixels lie in the file as Explicit VR Little Endian would have them."""
    return transfer_syntax_uid in (EXPLICIT, IMPLICIT)


def frame_syntax(wish: Wish, stored: str) -> str | None:
    """The transfer syntax in which a frame grants a wish; None when there is none."""
    asked, kind = wish.transfer_syntax, wish.media_type
    mine = frame_type(stored)
    if kind == "*/*":
        kind = OCTETS if asked in ("", EXPLICIT) else (frame_type(asked) if asked != "*" else mine)
    if asked == "*" and kind in (OCTETS, mine):
        return stored if mine != OCTETS or is_plain(stored) else EXPLICIT
    if asked == stored and kind in (OCTETS, mine):
        return stored
    if kind == mine and asked == "" and mine != OCTETS:
        return stored
    made = MADE.get(kind)
    if made and asked in ("", "*", made):
        return stored if made == EXPLICIT and is_plain(stored) else made
    if kind == OCTETS and asked in (EXPLICIT, IMPLICIT):
        return EXPLICIT
    return None
