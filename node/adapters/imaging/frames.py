"""In the child: frames, and whole instances, in another transfer syntax.

HTJ2K is read by the codec for JPEG 2000; it is written where the package imagecodecs is installed (OpenJPH).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from node.adapters.imaging.headers import inflated
from node.core.dicomweb.pixels import PixelPlace, realigned
from node.core.encoded import UNREADABLE
from node.core.part10 import read_head
from node.errors import BadInstance

Array = np.ndarray[Any, np.dtype[Any]]

# All of them are under permissive licences. gdcm forgives damage that the others report, so it serves only the
# transfer syntaxes that no other one reads (JPEG).
_PLUGINS = ("pyjpegls", "pylibjpeg", "pydicom")
_LAST_PLUGIN = "gdcm"
_ENCODED = frozenset({HTJ2KLossless, JPEG2000Lossless, JPEGLSLossless, RLELossless})
_DECODED_AT_MOST = 1 << 30  # bytes of one frame


def read(path: Path) -> Dataset:
    """A whole file. Raises BadInstance when it cannot be read."""
    try:
        with path.open("rb") as file:
            head = read_head(file.read(1 << 16))
            if head.transfer_syntax_uid != DeflatedExplicitVRLittleEndian:
                return dcmread(path)
            file.seek(head.data_set_at)
            ds = read_dataset(BytesIO(inflated(file.read())), is_implicit_VR=False, is_little_endian=True)
        file_meta = dcmread(path, stop_before_pixels=True, specific_tags=[]).file_meta
    except UNREADABLE as broken:
        raise BadInstance(f"it cannot be read ({type(broken).__name__})") from broken
    file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta = file_meta
    return ds


def encode(request: Mapping[str, Any]) -> tuple[Mapping[str, Any], Sequence[bytes]]:
    """Frames, from 1, in another transfer syntax."""
    ds = read(Path(request["path"]))
    syntax = UID(request["syntax"])
    return {}, [_encoded(ds, number, syntax) for number in request["frames"]]


def _encoded(ds: Dataset, number: int, syntax: UID) -> bytes:
    if ds.get("BitsAllocated") == 1 and not ds.file_meta.TransferSyntaxUID.is_compressed:
        if syntax != ExplicitVRLittleEndian:
            raise BadInstance("one-bit frames are given uncompressed only")
        return one_bit(ds, number)
    image = decoded(ds, number)
    if syntax == ExplicitVRLittleEndian:
        planar = image.ndim == 3 and ds.get("PlanarConfiguration") == 1
        image = image.transpose(2, 0, 1) if planar else image
        return bytes(image.astype(image.dtype.newbyteorder("<")).tobytes())
    if syntax not in _ENCODED:
        raise BadInstance("frames are not encoded in this transfer syntax")
    if syntax == HTJ2KLossless:
        return _htj2k(image)
    encoder = get_encoder(syntax)
    return bytes(encoder.encode(image, **_options(ds, image)))


def _htj2k(image: Array) -> bytes:
    try:
        from imagecodecs import htj2k_encode
    except ImportError as absent:
        raise BadInstance("HTJ2K is not written here: the package imagecodecs is not installed") from absent
    if image.ndim != 2 or image.dtype.kind not in "iu" or image.itemsize > 2:
        raise BadInstance("HTJ2K is written of images in grey of up to 16 bits only")
    return bytes(htj2k_encode(np.ascontiguousarray(image), reversible=True))


def _options(ds: Dataset, image: Array) -> dict[str, Any]:
    return {
        "rows": image.shape[0],
        "columns": image.shape[1],
        "samples_per_pixel": int(ds.get("SamplesPerPixel") or 1),
        "bits_allocated": int(ds.BitsAllocated),
        "bits_stored": int(ds.get("BitsStored") or ds.BitsAllocated),
        "pixel_representation": int(ds.get("PixelRepresentation") or 0),
        "photometric_interpretation": str(ds.PhotometricInterpretation),
        "number_of_frames": 1,
        "planar_configuration": 0,
    }


def decoded(ds: Dataset, number: int, *, raw: bool = True) -> Array:
    """A frame, from 1, as (rows, columns) or (rows, columns, samples)."""
    bits = 1
    for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"):
        bits *= int(ds.get(keyword) or 1)
    if not 0 < bits <= 8 * _DECODED_AT_MOST:
        raise BadInstance("its frames are larger than may be decoded")
    if not 1 <= number <= int(ds.get("NumberOfFrames") or 1):
        raise BadInstance("it does not have so many frames")
    decoder = get_decoder(ds.file_meta.TransferSyntaxUID)
    there = decoder.available_plugins
    available = [name for name in _PLUGINS if name in there] or [name for name in there if name == _LAST_PLUGIN]
    fault: Exception | None = None
    for plugin in available or ("",):  # native pixels need no plugin
        try:
            image, _ = decoder.as_array(ds, index=number - 1, raw=raw, decoding_plugin=plugin)
            return cast("Array", image)
        except (*UNREADABLE, RuntimeError) as damaged:
            fault = damaged
    raise BadInstance("its pixels are damaged, or shorter than its header says") from fault


def one_bit(ds: Dataset, number: int) -> bytes:
    """A native frame of one bit a pixel, at the border of a byte."""
    bits = int(ds.Rows) * int(ds.Columns)
    value = ds.PixelData
    place = PixelPlace("7FE00010", "OB", int(ds.get("NumberOfFrames") or 1), bits, 0, len(value))
    try:
        (at, size), shift = place.native_span(number)
    except IndexError as absent:
        raise BadInstance("it does not have so many frames") from absent
    return realigned(value[at : at + size], shift, bits)


def convert(request: Mapping[str, Any]) -> tuple[Mapping[str, Any], Sequence[bytes]]:
    """Write the whole instance in another transfer syntax."""
    ds = read(Path(request["path"]))
    syntax, stored = UID(request["syntax"]), ds.file_meta.TransferSyntaxUID
    if syntax != ExplicitVRLittleEndian and syntax not in _ENCODED:
        raise BadInstance("instances are not encoded in this transfer syntax")
    if stored.is_compressed:
        ds.decompress(generate_instance_uid=False)
    elif stored == ExplicitVRBigEndian:
        _swap(ds)
    if syntax == HTJ2KLossless:
        count = int(ds.get("NumberOfFrames") or 1)
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.PixelData = encapsulate([_htj2k(decoded(ds, number)) for number in range(1, count + 1)])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    elif syntax in _ENCODED:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(syntax, generate_instance_uid=False)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(request["to"], implicit_vr=False, little_endian=True, enforce_file_format=True)
    return {}, ()


def _swap(ds: Dataset) -> None:
    """Words of pixel data from big to little endian: pydicom writes them as they are."""
    size = int(ds.get("BitsAllocated") or 8) // 8
    if "PixelData" in ds and size > 1:
        ds.PixelData = np.frombuffer(ds.PixelData, f">u{size}").astype(f"<u{size}").tobytes()
