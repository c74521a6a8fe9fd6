"""In the child: headers for the index, and single values of them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag, Tag

from node.core.dicom.elements import Elements
from node.core.dicomweb.entry import entry
from node.core.dicomweb.model import BASE, Json, model, written
from node.core.dicomweb.pixels import MOST_FRAMES, PixelPlace, fragments, frame_spans
from node.core.encoded import DEFLATED, INFLATED_AT_MOST, UNREADABLE
from node.core.part10 import read_head
from node.errors import BadInstance

_FIRST_PIXELS = 0x7FE00008
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True)
class Pixels:
    """The pixel element, where reading stopped."""

    tag: int
    vr: str
    length: int
    at: int  # of the value, in `file`


@dataclass
class Opened:
    """A header, and where its pixels are."""

    ds: Dataset
    pixels: Pixels | None
    file: BinaryIO  # the file, or its inflated data set
    size: int


def open_header(path: Path) -> Opened:
    """Read a file up to its pixels. Raises BadInstance when it cannot be."""
    met: list[tuple[int, str, int]] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag >= _FIRST_PIXELS:
            met.append((int(tag), vr or "OW", length))
        return bool(met)

    try:
        file: BinaryIO = path.open("rb")
        syntax = read_head(file.read(1 << 16))
        implicit = syntax.transfer_syntax_uid == "1.2.840.10008.1.2"
        if syntax.transfer_syntax_uid == DEFLATED:
            file.seek(syntax.data_set_at)
            file = BytesIO(inflated(file.read()))
            ds = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=at_pixels)
        else:
            file.seek(0)
            ds = read_partial(file, stop_when=at_pixels)
    except UNREADABLE as broken:
        raise BadInstance(f"its header cannot be read ({type(broken).__name__})") from broken
    at = file.tell()
    size = file.seek(0, 2)
    pixels = None
    if met and met[0][0] in _PIXELS:
        tag, vr, length = met[0]
        pixels = Pixels(tag, vr, length, at + (8 if implicit else 12))
    if not hasattr(ds, "file_meta"):
        ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = cast("Any", syntax.transfer_syntax_uid)
    return Opened(ds, pixels, file, size)


def inflated(content: bytes) -> bytes:
    """A deflated data set (PS3.5 A.5), within bounds."""
    found = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, INFLATED_AT_MOST + 1)
    if len(found) > INFLATED_AT_MOST:
        raise BadInstance(f"it inflates to more than {INFLATED_AT_MOST >> 20} MiB")
    return found


def index(request: Mapping[str, Any]) -> tuple[Mapping[str, Any], Sequence[bytes]]:
    """Everything that the index wants to know of a file."""
    opened = open_header(Path(request["path"]))
    bulk = f"{BASE}{request['bulk']}"
    header = model(opened.ds, bulk)
    if opened.pixels:
        tag = f"{opened.pixels.tag:08X}"
        header[tag] = {"vr": opened.pixels.vr, "BulkDataURI": f"{bulk}{tag}"}
    found = entry(_without_base(header))
    place = _place(opened)
    told = {
        "attributes": {level.value: found.attributes[level] for level in found.attributes},
        "keys": {level.value: dict(found.keys[level]) for level in found.keys},
        "requests": found.requests,
        "place": vars(place) if place else None,
        "transfer_syntax_uid": str(opened.ds.file_meta.TransferSyntaxUID),
    }
    return told, (zlib.compress(written(header), 6),)


def _without_base(header: Json) -> Json:
    """Answers of a search hold no bulk data."""
    return {tag: value for tag, value in header.items() if "BulkDataURI" not in value}


def _place(opened: Opened) -> PixelPlace | None:
    """None for a deflated file, whose bytes lie nowhere, and for one without pixels."""
    pixels = opened.pixels
    if pixels is None or isinstance(opened.file, BytesIO):
        return None
    read = Elements(opened.ds)
    frames = max(1, min(read.integer("NumberOfFrames", "IS") or 1, MOST_FRAMES))
    tag = f"{pixels.tag:08X}"
    if pixels.length != _UNDEFINED:
        bits = 1
        for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"):
            bits *= max(0, read.integer(keyword, "US") or 0)
        if read.first("PhotometricInterpretation") == "YBR_FULL_422":
            bits = bits // 3 * 2
        length = min(pixels.length, opened.size - pixels.at)
        return PixelPlace(tag, pixels.vr, frames, bits, pixels.at, length)
    opened.file.seek(pixels.at)
    found = fragments(opened.file, opened.size)
    spans = frame_spans(*found, frames) if found else ()
    return PixelPlace(tag, pixels.vr, frames, 0, pixels.at, -1, spans)


def bulk(request: Mapping[str, Any]) -> tuple[Mapping[str, Any], Sequence[bytes]]:
    """The value at tag.item.tag…"""
    opened = open_header(Path(request["path"]))
    tags = list(request["tags"])
    pixels = opened.pixels
    if pixels and tags == [f"{pixels.tag:08X}"] and pixels.length != _UNDEFINED:
        opened.file.seek(pixels.at)
        return {}, (opened.file.read(pixels.length),)
    ds = opened.ds
    for tag, item in zip(tags[:-1:2], tags[1:-1:2], strict=False):
        items = ds[Tag(int(tag, 16))].value
        ds = items[int(item) - 1]
    element = ds.get_item(Tag(int(tags[-1], 16)))
    value = element.value
    if not isinstance(value, bytes):
        raise BadInstance("there is no such bulk data in it")
    return {}, (value,)
