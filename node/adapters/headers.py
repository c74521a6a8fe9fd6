"""Headers of stored instances, read with bounds: no pixels, no large values, no inflating without end."""

from __future__ import annotations

import struct
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from node.core.encoded import DEFLATED, HEAD_BYTES, header
from node.core.part10 import read_head
from node.errors import BadInstance

_LARGE = 1 << 18  # bytes of a value that stay in the file

# What pydicom raises on cut or crafted files.
_UNREADABLE = (
    InvalidDicomError, ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError, EOFError,
    OSError, struct.error, RecursionError, MemoryError, OverflowError,
)  # fmt: skip


def read_header(path: Path) -> Dataset:
    """The data set of a stored file without its pixels. Raises BadInstance when it cannot be read."""
    try:
        with path.open("rb") as file:
            head = read_head(file.read(1 << 16))
            if head.transfer_syntax_uid == DEFLATED:  # pydicom would inflate all of it, however much that is
                file.seek(head.data_set_at)
                return header(file.read(HEAD_BYTES), DEFLATED, whole=True)
        return dcmread(path, stop_before_pixels=True, defer_size=_LARGE)
    except _UNREADABLE as broken:
        raise BadInstance(f"its header cannot be read ({type(broken).__name__})") from broken
