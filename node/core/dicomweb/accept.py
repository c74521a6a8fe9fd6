"""What a client would take (PS3.18 8.7, RFC 9110 12.5.1), read leniently: few clients write it by the book.

Types may be quoted or not; `type` of multipart/related may be missing or */*; a transfer syntax may be `*`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

MULTIPART = "multipart/related"
ANY = "*/*"
_MOST_WISHES = 32


@dataclass(frozen=True)
class Wish:
    """One thing that a client would take."""

    media_type: str  # what it wants to get, the type of the parts where it wants several
    multipart: bool | None  # None: either
    transfer_syntax: str  # "": it did not say; "*": any
    quality: float


@dataclass(frozen=True)
class Offer:
    """One thing that we could give."""

    media_type: str
    multipart: bool
    transfer_syntax: str = ""  # "": is of no meaning for it


@lru_cache(maxsize=256)  # a viewer asks for a thousand frames in the same words
def wishes(accept: str) -> tuple[Wish, ...]:
    """What a client would take, the best first; what is offered first comes first among equals."""
    found = [wish for text in _split(accept, ",")[:_MOST_WISHES] if (wish := _wish(text)) is not None]
    return tuple(sorted(found, key=lambda one: -one.quality))


def _wish(text: str) -> Wish | None:
    name, *rest = [part.strip() for part in _split(text, ";")] or [""]
    name = name.strip('"').lower()
    parameters = {}
    for part in rest:
        key, _, value = part.partition("=")
        parameters[key.strip().lower()] = value.strip().strip('"').strip()
    quality = _quality(parameters.get("q", "1"))
    if "/" not in name or quality <= 0:
        return None
    syntax = parameters.get("transfer-syntax", "")
    if name == MULTIPART:
        return Wish(parameters.get("type", ANY).lower() or ANY, True, syntax, quality)
    return Wish(name, None if name == ANY else False, syntax, quality)


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.001  # unreadable: rather last than not at all
    return min(value, 1.0) if math.isfinite(value) else 0.0


def _split(text: str, separator: str) -> list[str]:
    """Split outside of quotes."""
    parts, quoted, current = [], False, ""
    for letter in text:
        if letter == '"':
            quoted = not quoted
        if letter == separator and not quoted:
            parts.append(current)
            current = ""
        else:
            current += letter
    return [*parts, current] if current.strip() else parts


def accepts(wish: Wish, offer: Offer) -> bool:
    """Whether an offer grants a wish; transfer syntaxes are looked at by those who can transcode."""
    if wish.multipart is not None and wish.multipart != offer.multipart:
        return False
    kind, _, sub = wish.media_type.partition("/")
    offered = offer.media_type.partition("/")[0]
    return wish.media_type in (ANY, offer.media_type) or (sub == "*" and kind == offered)


def best(accept: str, offers: Sequence[Offer]) -> tuple[Offer, Wish] | None:
    """The offer to make; the first one to who does not say what he wants; None when nothing is wanted."""
    asked = wishes(accept) if accept.strip() else (Wish(ANY, None, "", 1.0),)
    for wish in asked:
        for offer in offers:
            if accepts(wish, offer):
                return offer, wish
    return None
