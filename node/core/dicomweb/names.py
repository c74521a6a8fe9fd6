"""Person names as people search for them: without case, accents, order of parts, or script.

`folded` is for literal matching (PS3.4 C.2.2.2.1, where names may be compared without case and accents); `words` and
`wanted` are for fuzzy matching (PS3.18 8.3.4.2), whose rule is this: every word that is asked for is the beginning of
some word of the name, in whatever order and in whichever of its component groups.
"""

from __future__ import annotations

import re
import unicodedata

from anyascii import anyascii

_PARTS = re.compile(r"[\s^=,.;:'’\-/()*?]+")
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_CONTRACTED = re.compile(r"([aou])e(?=.)")
_MOST_WORDS = 32
_LONGEST = 64


def folded(text: str) -> str:
    """Without case, accents and width."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()
    return unicodedata.normalize("NFC", plain)


def groups(name: str) -> str:
    """A name for literal matching: its component groups between "=" signs, empty trailing components left out."""
    parts = [folded(group).strip().rstrip("^").rstrip() for group in name.split("=")]
    return "".join(f"={part}" for part in parts if part) + "=" if any(parts) else ""


def words(name: str) -> tuple[str, ...]:
    """All the spellings of all words of a name, for prefix comparison."""
    found: dict[str, None] = {}
    for word in _split(name):
        for spelling in (*_spellings(word), *_contracted(word)):
            found[spelling[:_LONGEST]] = None
    return tuple(found)


def wanted(text: str) -> tuple[tuple[str, ...], ...]:
    """The words that are asked for, each as its possible spellings; wildcards are of no meaning here."""
    return tuple(_spellings(word) for word in _split(text))


def fits(asked: tuple[tuple[str, ...], ...], name: str) -> bool:
    """Whether a name is one that was asked for."""
    known = words(name)
    return all(any(word.startswith(spelling) for word in known for spelling in each) for each in asked)


def _split(text: str) -> list[str]:
    composed = unicodedata.normalize("NFC", text.casefold())
    return [word[:_LONGEST] for word in _PARTS.split(composed) if word][:_MOST_WORDS]


def _spellings(word: str) -> tuple[str, ...]:
    """As written, without accents, in Latin letters, and the German way."""
    latin = re.sub(r"\s+", "", anyascii(word)).casefold()
    german = folded(word.translate(_GERMAN))
    return tuple(dict.fromkeys(one for one in (folded(word), latin, german) if one))


def _contracted(word: str) -> tuple[str, ...]:
    """mueller is found by müller."""
    short = _CONTRACTED.sub(r"\1", folded(word))
    return (short,) if short != folded(word) else ()
