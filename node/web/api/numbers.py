"""Numbers of rows, as they are asked for."""

from __future__ import annotations


def row_number(asked: int) -> int:
    """A number that no database can hold is nobody's, as 0 is: who looks for it is told so."""
    return asked if 0 < asked < 2**31 else 0
