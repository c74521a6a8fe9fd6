"""Text as rules compare it, and text as people may be shown it.

Consoles are typed at by people: "T1 Schädel", "t1 schadel" and "Ｔ１" are the same protocol. Folding takes away
case, accents and width, for the value and for the text in the rule alike.
"""

from __future__ import annotations

import unicodedata

SHOWN_AT_MOST = 64  # characters of a value in a reason

# The voiced marks of kana tell letters apart (か/が), they are no accents.
_VOICED = frozenset("\u3099\u309a")


def fold(text: str) -> str:
    """The text without case, accents and width, and without space around it."""
    if text.isascii():
        return text.strip().lower()
    # A lone surrogate cannot be encoded, and the regular expressions work on UTF-8.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", whole).casefold())
    kept = "".join(letter for letter in apart if letter in _VOICED or not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", kept).strip()


def fold_pattern(pattern: str, escape: str = "\\.+*?()|[]{}^$-") -> str:
    """A regular expression as it must read to be searched in folded text.

    Only letters outside ASCII are folded: lower-casing the rest would turn `\\S` into `\\s`.
    """
    whole = unicodedata.normalize("NFC", pattern.encode("utf-8", "replace").decode("utf-8"))
    return "".join(letter if letter.isascii() else _folded_letter(letter, escape) for letter in whole)


def _folded_letter(letter: str, escape: str) -> str:
    return "".join(f"\\{part}" if part in escape else part for part in fold(letter))


def shown(text: str, at_most: int = SHOWN_AT_MOST) -> str:
    """The text for a sentence: controls and invisible characters escaped, cut to a bounded length."""
    escaped = "".join(_visible(letter) for letter in text[: at_most + 1])
    return escaped if len(escaped) <= at_most else escaped[: at_most - 1] + "…"


def _visible(letter: str) -> str:
    if letter.isprintable():
        return letter
    return f"\\x{ord(letter):02x}" if ord(letter) < 256 else f"\\u{ord(letter):04x}"
