"""Every text that pages show, from texts/<language>/<page>.toml: `t("trace.title")` in a template.

A text may hold {names}; they are filled in as text and escaped by the template like everything else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDER = Path(__file__).parent / "texts"
LANGUAGE = "en"


class Texts:
    """The texts of one language. Raises KeyError for a text that nobody wrote: tests/edges/test_pages_texts.py."""

    def __init__(self, language: str = LANGUAGE) -> None:
        self.language = language
        self._texts = dict(_read(FOLDER / language))

    def __call__(self, key: str, /, **names: object) -> str:
        """The text of a key, with its {names} filled in."""
        text = self._texts[key]
        return text.format_map(names) if names else text

    def member(self, group: str, name: object, /) -> str:
        """The text of a word of the node's in a group of texts; the word itself where there is none."""
        word = str(name)
        return self._texts.get(f"{group}.{word}", word.replace("_", " "))

    def counted(self, key: str, number: int, /, **names: object) -> str:
        """The text `key`.one or `key`.many, with {number}."""
        return self(f"{key}.{'one' if number == 1 else 'many'}", number=f"{number:,}".replace(",", "\u202f"), **names)

    def all_below(self, group: str, /) -> dict[str, str]:
        """The texts of a group, for a script: name → text."""
        start = f"{group}."
        return {key.removeprefix(start): text for key, text in self._texts.items() if key.startswith(start)}

    def said(self, group: str, name: object, /, **names: object) -> str:
        """The text of a member of a group that was written for each of them, with its {names} filled in."""
        return self(f"{group}.{name}", **names)

    def keys(self) -> frozenset[str]:
        return frozenset(self._texts)


def _read(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.glob("*.toml")):
        with file.open("rb") as content:
            yield from _flat(file.stem, tomllib.load(content))


def _flat(above: str, table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{above}.{name}", value)
        else:
            yield f"{above}.{name}", str(value)
