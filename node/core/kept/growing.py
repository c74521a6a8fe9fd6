"""Cells of many series as columns that grow, series by series, as they come."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

from node.core.kept.cells import Cell, Raw
from node.core.kept.columns import ROWS_AT_MOST, Column

CELL_AT_MOST = 4096  # characters of one cell that are held; a longer one reads as "not kept"
TEXT_AT_MOST = 48 * 1024 * 1024  # characters of all
_LOST = Cell((Raw("UN", None),)).to_text()


class Growing:
    """Bounded in rows and in size: when it is full, it takes no more."""

    def __init__(self, text_at_most: int = TEXT_AT_MOST) -> None:
        self._most = text_at_most
        self.rows = 0
        self._places: dict[str, dict[str, int]] = {}
        self._numbers: dict[str, array[int]] = {}
        self._size = 0

    def add(self, cells: Mapping[str, str]) -> bool:
        """One more series; False: it is full."""
        if self.rows >= ROWS_AT_MOST or self._size >= self._most:
            return False
        for key, cell in cells.items():
            text = cell if len(cell) <= CELL_AT_MOST or key[:1].islower() else _LOST
            places = self._places.setdefault(key, {"": 0})
            number = places.get(text)
            if number is None:
                number = places[text] = len(places)
                self._size += len(text)
            numbers = self._numbers.setdefault(key, array("H"))
            numbers.extend([0] * (self.rows - len(numbers)))
            numbers.append(number)
        self.rows += 1
        return True

    @property
    def keys(self) -> list[str]:
        """All that any series held."""
        return list(self._places)

    def column(self, key: str) -> Column | None:
        """None: no series holds it."""
        if key not in self._places:
            return None
        numbers = np.zeros(self.rows, np.uint16)
        held = self._numbers[key]
        numbers[: len(held)] = np.frombuffer(held, np.uint16)
        return Column(tuple(self._places[key]), numbers)
