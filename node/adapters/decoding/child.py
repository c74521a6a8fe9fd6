"""The decoding process: reads requests on standard input until it ends, writes voxels into shared memory.

Run as a script, never imported by the node: it needs pydicom and numpy and nothing of the node, so that it
starts quickly and holds nothing that a crafted file could damage. Arguments: the descriptor of the shared
memory, the bytes that it may use on top of its start, the seconds after which a request is given up.

A request is a JSON line: {"rows", "columns", "slices": [[path, frame or null], ...]}. An answer is a JSON line:
{"rescale": [[slope, intercept], ...], "padding": int or null} or {"fault": sentence}. Whatever is raised that is
not foreseen here ends the process; the node then starts another.
"""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import os
import resource
import signal
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset, read_file_meta_info
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

Array = np.ndarray[Any, np.dtype[Any]]

# All of them are under permissive licences. gdcm forgives damage that the others report, so it serves only the
# transfer syntaxes that no other one reads (JPEG).
PLUGINS = ("pyjpegls", "pylibjpeg", "pydicom")
LAST_PLUGIN = "gdcm"

# What pydicom and the codecs are known to raise on damaged data.
DAMAGED = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError, ArithmeticError, EOFError,
    RuntimeError, struct.error, InvalidDicomError, BytesLengthException, zlib.error,
)  # fmt: skip


class FaultyError(Exception):
    """A file that gives no pixels; the message is the sentence that people see."""


def main(descriptor: int, memory_bytes: int, deadline_s: float) -> None:
    """Serve requests until standard input ends."""
    warnings.simplefilter("ignore")
    _confine(memory_bytes)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # codecs that print must not get into the answers
    answers.write("{}\n")  # ready
    answers.flush()
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_REAL, deadline_s + 1.0)  # should the node be gone: the default action ends us
        answer = _answer(json.loads(line), descriptor, memory_bytes)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _confine(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (memory_bytes, memory_bytes))
    with contextlib.suppress(OSError, ValueError):  # no /proc, or a system without this limit
        used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
        resource.setrlimit(resource.RLIMIT_AS, (used + memory_bytes, used + memory_bytes))


def _answer(request: Mapping[str, Any], descriptor: int, memory_bytes: int) -> Mapping[str, object]:
    try:
        return _decode(request, descriptor, memory_bytes)
    except FaultyError as fault:
        return {"fault": str(fault)}
    except (MemoryError, RecursionError):
        return {"fault": "decoding takes more memory than it may"}


def _decode(request: Mapping[str, Any], descriptor: int, memory_bytes: int) -> Mapping[str, object]:
    rows, columns = cast("int", request["rows"]), cast("int", request["columns"])
    slices = cast("Sequence[tuple[str, int | None]]", request["slices"])
    rescale: list[tuple[float, float]] = [(1.0, 0.0)] * len(slices)
    paddings: set[int | None] = set()
    # closed by the garbage collector: closing fails while an array, or a traceback, still looks into it
    shared = mmap.mmap(descriptor, len(slices) * rows * columns * 4)
    out = np.frombuffer(shared, np.int32).reshape(len(slices), rows, columns)
    for path, wanted in _by_path(slices).items():
        ds = _read(Path(path), memory_bytes)
        _check(ds, rows, columns, memory_bytes)
        numbers = [frame for _, frame in wanted]
        for (index, frame), image in zip(wanted, _images(ds, numbers), strict=True):
            out[index] = _stored(ds, image, rows, columns)
            rescale[index] = _rescale(ds, frame)
        paddings.add(_padding(ds))
    return {"rescale": rescale, "padding": paddings.pop() if len(paddings) == 1 else None}


def _by_path(slices: Sequence[tuple[str, int | None]]) -> dict[str, list[tuple[int, int | None]]]:
    """Path -> its slices as (place in the volume, frame number), ascending by frame."""
    found: dict[str, list[tuple[int, int | None]]] = {}
    for index, (path, frame) in enumerate(slices):
        found.setdefault(path, []).append((index, frame))
    return {path: sorted(wanted, key=lambda pair: pair[1] or 0) for path, wanted in found.items()}


def _read(path: Path, memory_bytes: int) -> Dataset:
    try:
        size = path.stat().st_size
        if size > memory_bytes // 2:
            raise FaultyError(f"a file of {size / 1e6:.0f} MB is larger than decoding may hold")
        ds = _inflated(path, memory_bytes) or dcmread(path)
    except OSError as gone:
        raise FaultyError(f"a stored file cannot be read: {gone.strerror or 'input error'}") from gone
    except DAMAGED as damaged:
        raise FaultyError("a stored file is not a readable DICOM file (PS3.10)") from damaged
    return ds


def _inflated(path: Path, memory_bytes: int) -> Dataset | None:
    """A deflated file (PS3.5 A.5), inflated within bounds; None for any other."""
    meta = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return None
    raw = path.read_bytes()[132 + 12 + int(meta.FileMetaInformationGroupLength) :]
    most = memory_bytes // 3
    whole = zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, most + 1)
    if len(whole) > most:
        raise FaultyError(f"a deflated file inflates to more than {most / 1e6:.0f} MB")
    ds = read_dataset(BytesIO(whole), is_implicit_VR=False, is_little_endian=True)
    ds.file_meta = meta
    return ds


def _check(ds: Dataset, rows: int, columns: int, memory_bytes: int) -> None:
    if "PixelData" not in ds:
        raise FaultyError("PixelData is absent")
    try:
        found, samples = (int(ds.Rows), int(ds.Columns)), int(ds.get("SamplesPerPixel") or 1)
        bits = int(ds.BitsAllocated)
    except DAMAGED as damaged:
        raise FaultyError("Rows, Columns, SamplesPerPixel or BitsAllocated is absent or not a number") from damaged
    if found != (rows, columns) or samples != 1:
        raise FaultyError(f"an image is {found[0]} x {found[1]} with {samples} samples, not {rows} x {columns} with 1")
    if bits not in (8, 16, 32):
        raise FaultyError(f"BitsAllocated is {bits}; 8, 16 and 32 are read")
    if rows * columns * 8 > memory_bytes:
        raise FaultyError(f"an image of {rows} x {columns} is larger than decoding may hold")


def _images(ds: Dataset, frames: Sequence[int | None]) -> Iterator[Array]:
    """The wanted frames, in the order asked for. The plugin that decodes the first one decodes all."""
    try:
        syntax = ds.file_meta.get("TransferSyntaxUID") or ImplicitVRLittleEndian
        decoder = get_decoder(syntax)
    except DAMAGED as damaged:
        raise FaultyError("the transfer syntax is not one that can be decoded") from damaged
    declared = _declared(ds)
    indices = [(frame or 1) - 1 for frame in frames]
    if max(indices) >= declared:
        raise FaultyError(f"frame {max(indices) + 1} is asked for and {declared} are declared")
    available = decoder.available_plugins
    plugins = [name for name in PLUGINS if name in available] or [name for name in available if name == LAST_PLUGIN]
    if syntax.is_compressed and not plugins:
        raise FaultyError(f"no decoder for transfer syntax {syntax.name}")
    for index in indices:
        yield _frame(ds, decoder, index, plugins)


def _declared(ds: Dataset) -> int:
    try:
        return int(ds.get("NumberOfFrames") or 1)
    except DAMAGED as damaged:
        raise FaultyError("NumberOfFrames is not a number") from damaged


def _frame(ds: Dataset, decoder: Any, index: int, plugins: Sequence[str]) -> Array:
    last: BaseException | None = None
    for plugin in plugins or ("",):  # native pixels need no plugin
        try:
            array, _ = decoder.as_array(ds, index=index, raw=True, decoding_plugin=plugin)
            return cast("Array", array)
        except DAMAGED as damaged:
            last = damaged
    raise FaultyError("the pixels are damaged or shorter than the header says") from last


def _stored(ds: Dataset, image: Array, rows: int, columns: int) -> Array:
    """Stored values of one frame, integers, reduced to BitsStored (PS3.5 8.1.1): other bits may hold anything."""
    if image.shape != (rows, columns) or image.dtype.kind not in "iu":
        raise FaultyError("the pixels decode to another matrix than the header says")
    try:
        allocated, stored = int(ds.BitsAllocated), int(ds.get("BitsStored") or ds.BitsAllocated)
        shift, signed = int(ds.get("HighBit") or stored - 1) + 1 - stored, int(ds.get("PixelRepresentation") or 0) == 1
    except DAMAGED as damaged:
        raise FaultyError("BitsStored, HighBit or PixelRepresentation is not a number") from damaged
    if not 1 <= stored <= allocated or not 0 <= shift <= allocated - stored:
        raise FaultyError("BitsStored or HighBit does not fit BitsAllocated")
    if stored == allocated <= 16:
        return image
    wide: Array = np.asarray(image, np.int64 if allocated > 16 else np.int32)
    wide = np.bitwise_and(np.right_shift(wide, shift), (1 << stored) - 1)
    if signed:
        wide = np.where(wide >> (stored - 1), wide - (1 << stored), wide)
    if wide.max(initial=0) > np.iinfo(np.int32).max:
        raise FaultyError("pixel values above 2147483647 are not read")
    return wide


def _rescale(ds: Dataset, frame: int | None) -> tuple[float, float]:
    """Slope and intercept (PS3.3 C.11.1; of a frame C.7.6.16.2.9)."""
    try:
        place = ds if frame is None else _transformation(ds, frame)
        slope, intercept = place.get("RescaleSlope"), place.get("RescaleIntercept")
        found = (1.0 if slope in (None, "") else float(slope), 0.0 if intercept in (None, "") else float(intercept))
    except DAMAGED as damaged:
        raise FaultyError("RescaleSlope or RescaleIntercept is not a number") from damaged
    if not all(map(math.isfinite, found)) or found[0] == 0:
        raise FaultyError(f"RescaleSlope {found[0]:g} and RescaleIntercept {found[1]:g} give no values")
    return found


def _transformation(ds: Dataset, frame: int) -> Dataset:
    own, shared = ds.get("PerFrameFunctionalGroupsSequence"), ds.get("SharedFunctionalGroupsSequence")
    groups = ([own[frame - 1]] if own else []) + list(shared or [])[:1]
    for group in groups:
        if group.get("PixelValueTransformationSequence"):
            return cast("Dataset", group.PixelValueTransformationSequence[0])
    return ds


def _padding(ds: Dataset) -> int | None:
    try:
        value = ds.get("PixelPaddingValue")
        return None if value in (None, "") else int(value)
    except DAMAGED:
        return None


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
