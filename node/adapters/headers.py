"""Headers of stored instances, read with bounds: no pixels, no large values, no inflating without end."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from node.core.dicom import Facts, facts
from node.core.encoded import DEFLATED, HEAD_BYTES, INFLATED_AT_MOST, UNREADABLE, header
from node.core.part10 import read_head
from node.errors import BadInstance

_LARGE = 1 << 18  # bytes of a value that stay in the file
_PIECE = 1 << 20  # bytes that are inflated at once
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})  # Float, Double Float and Pixel Data


@dataclass(frozen=True)
class Header:
    """A data set up to its pixels."""

    ds: Dataset
    has_pixels: bool

    @property
    def facts(self) -> Facts:
        return facts(self.ds, has_pixels=self.has_pixels)


NOTHING = Header(Dataset(), False)  # stands for a header that cannot be read: its facts say nothing


def read_header(path: Path) -> Header:
    """The data set of a stored file without its pixels. Raises BadInstance when it cannot be read."""
    met: list[int] = []

    def at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        if tag >= 0x7FE00008:
            met.append(int(tag))
        return bool(met)

    try:
        with path.open("rb") as file:
            head = read_head(file.read(1 << 16))
            if head.transfer_syntax_uid == DEFLATED:  # pydicom would inflate all of it, however much that is
                file.seek(head.data_set_at)
                ds = header(file.read(HEAD_BYTES), DEFLATED, stop_when=at_pixels)
            else:
                file.seek(0)
                ds = read_partial(file, stop_when=at_pixels, defer_size=_LARGE)
    except UNREADABLE as broken:
        raise BadInstance(f"its header cannot be read ({type(broken).__name__})") from broken
    return Header(ds, bool(met) and met[0] in _PIXELS)


def demand_inflatable(path: Path, at_most: int = INFLATED_AT_MOST) -> None:
    """Raises BadInstance for a deflated file (PS3.5 A.5) of more than `at_most` bytes: pydicom would hold them all."""
    with path.open("rb") as file:
        head = read_head(file.read(1 << 16))
        if head.transfer_syntax_uid != DEFLATED:
            return
        file.seek(head.data_set_at)
        inflating, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while not inflating.eof and (piece := inflating.unconsumed_tail or file.read(_PIECE)):
            size += len(inflating.decompress(piece, _PIECE))
            if size > at_most:
                raise BadInstance(f"it inflates to more than {at_most >> 20} MiB")
