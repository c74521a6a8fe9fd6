"""Cells of many series as columns: each different cell once, and a number for every series."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ROWS_AT_MOST = 0xFFFF  # series in one column

Numbers = np.ndarray[tuple[int], np.dtype[np.uint16]]


@dataclass(frozen=True)
class Column:
    """One element of many series."""

    texts: tuple[str, ...]  # the different cells; the first is "", which says that a series lacks the element
    numbers: Numbers  # for every series, which

    def at(self, row: int) -> str | None:
        """The cell of a series."""
        return self.texts[self.numbers[row]] or None

    def only(self, rows: Sequence[int]) -> Column:
        """The column of these series; cells that none of them holds are forgotten."""
        left = self.numbers[np.array(rows, np.intp)]
        used = np.union1d(left, np.zeros(1, np.uint16))
        return Column(tuple(self.texts[one] for one in used), np.searchsorted(used, left).astype(np.uint16))


def column_of(cells: Sequence[str | None]) -> Column:
    """Raises ValueError for more series than a column holds."""
    if len(cells) > ROWS_AT_MOST:
        raise ValueError(f"a column holds {ROWS_AT_MOST} series")
    places = {"": 0}
    numbers = [0 if cell is None else places.setdefault(cell, len(places)) for cell in cells]
    return Column(tuple(places), np.array(numbers, np.uint16))


def packed_column(column: Column) -> bytes:
    """Some hundred bytes for a thousand series that are alike."""
    return zlib.compress("\n".join(column.texts).encode("ascii") + b"\n\n" + column.numbers.astype("<u2").tobytes())


def unpacked_column(packed: bytes) -> Column:
    whole = zlib.decompress(packed)
    texts, _, numbers = whole.partition(b"\n\n")
    return Column(tuple(texts.decode("ascii").split("\n")), np.frombuffer(numbers, "<u2"))


def pack(value: Any) -> bytes:
    """JSON, compressed."""
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode("ascii"))


def unpack(packed: bytes) -> Any:
    return json.loads(zlib.decompress(packed))


def columns_of(rows: Sequence[Mapping[str, str]]) -> dict[str, Column]:
    """Series by series to column by column."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: column_of([row.get(key) for row in rows]) for key in keys}
