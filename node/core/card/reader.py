"""A YAML mapping read key by key; what is missing or of a wrong type is named by its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import cast

from node.errors import BadConfiguration


class Reader:
    """A YAML mapping whose values are asked for by type; a wrong one is named by its path."""

    def __init__(self, where: str, path: str, raw: object) -> None:
        self._where, self._path = where, path
        if not isinstance(raw, Mapping):
            raise BadConfiguration(where, f"{path or 'the card'} must be a mapping of keys to values")
        self._raw = cast("Mapping[str, object]", raw)

    def at(self, key: str) -> str:
        return f"{self._where}: {self._path}.{key}" if self._path else f"{self._where}: {key}"

    def _value(self, key: str, kind: type | tuple[type, ...], called: str) -> object:
        if key not in self._raw:
            raise BadConfiguration(self.at(key), "is missing")
        value = self._raw[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise BadConfiguration(self.at(key), f"must be {called}")
        return value

    def text(self, key: str) -> str:
        return cast("str", self._value(key, str, "text (put it in quotes)")).strip()

    def has(self, key: str) -> bool:
        return key in self._raw

    def flag(self, key: str) -> bool:
        """true or false; false where nothing is said."""
        said = self._raw.get(key, False)
        if not isinstance(said, bool):
            raise BadConfiguration(self.at(key), "must be true or false")
        return said

    def choice(self, key: str, among: type[StrEnum]) -> str:
        said = self.text(key)
        if said not in tuple(among):
            raise BadConfiguration(self.at(key), f"{said!r} is not one of {', '.join(among)}")
        return said

    def integer(self, key: str) -> int:
        return cast("int", self._value(key, int, "a whole number"))

    def number(self, key: str) -> float:
        return float(cast("float", self._value(key, (int, float), "a number")))

    def integers(self, key: str) -> tuple[int, ...]:
        values = cast("Sequence[object]", self._value(key, list, "a list"))
        if not all(type(value) is int for value in values):
            raise BadConfiguration(self.at(key), "must be a list of whole numbers")
        return tuple(cast("Sequence[int]", values))

    def texts(self, key: str) -> tuple[str, ...]:
        values = cast("Sequence[object]", self._value(key, list, "a list"))
        if not all(isinstance(value, str) for value in values):
            raise BadConfiguration(self.at(key), "must be a list of texts")
        return tuple(cast("Sequence[str]", values))

    def numbers(self, key: str) -> tuple[float, ...]:
        values = cast("Sequence[object]", self._value(key, list, "a list"))
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            raise BadConfiguration(self.at(key), "must be a list of numbers")
        return tuple(float(cast("float", value)) for value in values)

    def section(self, key: str) -> Reader:
        path = f"{self._path}.{key}" if self._path else key
        return Reader(self._where, path, self._value(key, dict, "a mapping"))

    def sections(self, key: str) -> list[Reader]:
        values = cast("Sequence[object]", self._value(key, list, "a list"))
        path = f"{self._path}.{key}" if self._path else key
        return [Reader(self._where, f"{path}[{number}]", value) for number, value in enumerate(values)]
