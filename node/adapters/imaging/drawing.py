"""In the child: frames as pictures (PS3.18 8.7.5, rendered media types), with segments and text burnt in on request."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from node.adapters.imaging.frames import Array, decoded, one_bit, read
from node.core.encoded import UNREADABLE
from node.errors import BadInstance

_OPACITY = 0.45
_FALLBACK_COLOURS = ((230, 60, 60), (60, 180, 75), (255, 200, 25), (0, 130, 200), (245, 130, 48), (145, 30, 180))
_MOST_PIXELS = 1 << 26  # of a picture
_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}


def draw(request: Mapping[str, Any]) -> tuple[Mapping[str, Any], Sequence[bytes]]:
    """One frame as a picture."""
    ds = read(Path(request["path"]))
    number = int(request["frame"])
    picture = _coloured(ds, number) if int(ds.get("SamplesPerPixel") or 1) > 1 else _grey(ds, number, request["window"])
    if picture.shape[0] * picture.shape[1] > _MOST_PIXELS:
        raise BadInstance("its frames are larger than may be drawn")
    for path in request["overlays"]:
        picture = _with_segments(picture, read(Path(path)), str(request["sop_instance_uid"]), number)
    image = _cut_and_scaled(Image.fromarray(picture), request["region"], request["size"])
    if request["annotations"]:
        image = _with_text(image, request["annotations"])
    out = BytesIO()
    kind = _FORMATS[request["media_type"]]
    image.save(out, kind, **({"quality": int(request["quality"])} if kind == "JPEG" else {"compress_level": 3}))
    return {}, (out.getvalue(),)


def _coloured(ds: Dataset, number: int) -> Array:
    image = decoded(ds, number, raw=False)
    if image.dtype != np.uint8:
        image = (image.astype(np.float32) / max(1, int(image.max())) * 255).astype(np.uint8)
    return image[..., :3]


def _grey(ds: Dataset, number: int, window: Sequence[Any] | None) -> Array:
    """Modality values through a window, as uint8 (rows, columns); a palette gives (rows, columns, 3)."""
    if ds.get("BitsAllocated") == 1 and not ds.file_meta.TransferSyntaxUID.is_compressed:
        rows, columns = int(ds.Rows), int(ds.Columns)
        bits = np.unpackbits(np.frombuffer(one_bit(ds, number), np.uint8), bitorder="little")[: rows * columns]
        return np.asarray(bits.reshape(rows, columns) * np.uint8(255))
    stored = decoded(ds, number)
    if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
        palette = apply_color_lut(stored, ds)
        return np.asarray(palette >> 8 if palette.dtype == np.uint16 else palette, np.uint8)
    values = _reduced(ds, stored).astype(np.float32)
    group = _groups(ds, number)
    slope, intercept = _number(group, ds, "RescaleSlope", 1.0), _number(group, ds, "RescaleIntercept", 0.0)
    values = values * (slope or 1.0) + intercept
    found = window or _own_window(group, ds) or _whole_range(values)
    shown = _windowed(values, float(found[0]), float(found[1]), str(found[2]))
    return 255 - shown if ds.get("PhotometricInterpretation") == "MONOCHROME1" else shown


def _reduced(ds: Dataset, stored: Array) -> Array:
    """Reduced to BitsStored (PS3.5 8.1.1): other bits may hold anything."""
    allocated, bits = int(ds.BitsAllocated), int(ds.get("BitsStored") or ds.BitsAllocated)
    shift = int(ds.get("HighBit") or bits - 1) + 1 - bits
    if stored.dtype.kind not in "iu" or not 0 < bits < allocated or not 0 <= shift <= allocated - bits:
        return stored
    wide = (stored.astype(np.int64) >> shift) & ((1 << bits) - 1)
    signed = int(ds.get("PixelRepresentation") or 0) == 1
    return np.where(wide >> (bits - 1), wide - (1 << bits), wide) if signed else wide


def _windowed(values: Array, centre: float, width: float, function: str) -> Array:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3, to 0…255."""
    if function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - centre) / max(width, 1e-6), -60, 60)
        shown = 255.0 / (1.0 + np.exp(exponent))
    elif function == "LINEAR_EXACT":
        shown = ((values - centre) / max(width, 1e-6) + 0.5) * 255.0
    else:
        shown = ((values - (centre - 0.5)) / max(width - 1.0, 1e-6) + 0.5) * 255.0
    return np.asarray(np.clip(np.nan_to_num(shown), 0, 255), np.uint8)


def _whole_range(values: Array) -> tuple[float, float, str]:
    low, high = (
        float(part) for part in np.percentile(values[np.isfinite(values)] if values.size else [0], (0.5, 99.5))
    )
    return (low + high) / 2, max(high - low, 1e-3), "LINEAR_EXACT"


def _groups(ds: Dataset, number: int) -> list[Dataset]:
    """Functional groups of a frame, its own first (PS3.3 C.7.6.16)."""
    own, shared = ds.get("PerFrameFunctionalGroupsSequence"), ds.get("SharedFunctionalGroupsSequence")
    groups = ([own[number - 1]] if own and number <= len(own) else []) + list(shared or [])[:1]
    names = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
    return [item for group in groups for name in names for item in list(group.get(name) or [])[:1]]


def _number(groups: Sequence[Dataset], ds: Dataset, keyword: str, default: float) -> float:
    for place in (*groups, ds):
        try:
            value = place.get(keyword)
            if isinstance(value, Sequence) and not isinstance(value, str):
                value = value[0] if len(value) else None
            if value not in (None, ""):
                number = float(cast("Any", value))
                return number if math.isfinite(number) else default
        except UNREADABLE:
            continue
    return default


def _own_window(groups: Sequence[Dataset], ds: Dataset) -> tuple[float, float, str] | None:
    centre, width = _number(groups, ds, "WindowCenter", math.nan), _number(groups, ds, "WindowWidth", math.nan)
    if math.isnan(centre) or math.isnan(width) or width < 1:
        return None
    return centre, width, str(ds.get("VOILUTFunction") or "LINEAR")


def _with_segments(picture: Array, seg: Dataset, sop_instance_uid: str, number: int) -> Array:
    """The frames of a segmentation that were made of this one, in the colours of its segments."""
    rgb = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    rgb = rgb.astype(np.float32)
    for frame, segment in _frames_on(seg, sop_instance_uid, number):
        mask = _mask(seg, frame)
        if mask.shape != rgb.shape[:2]:
            raise BadInstance("the segmentation has another matrix than the image")
        values = [segment] if segment else [int(value) for value in np.unique(mask) if value]
        for value in values:
            where = mask > 0 if segment else mask == value
            rgb[where] = rgb[where] * (1 - _OPACITY) + np.array(_colour(seg, value)) * _OPACITY
    return rgb.astype(np.uint8)


def _frames_on(seg: Dataset, sop_instance_uid: str, number: int) -> Iterator[tuple[int, int]]:
    """(frame of the segmentation, its segment or 0 for a label map)."""
    for at, group in enumerate(seg.get("PerFrameFunctionalGroupsSequence") or (), 1):
        sources = [
            source
            for derivation in group.get("DerivationImageSequence") or ()
            for source in derivation.get("SourceImageSequence") or ()
        ]
        if any(_is_of(source, sop_instance_uid, number) for source in sources):
            identified = group.get("SegmentIdentificationSequence")
            yield at, int(identified[0].ReferencedSegmentNumber) if identified else 0


def _is_of(source: Dataset, sop_instance_uid: str, number: int) -> bool:
    frames = source.get("ReferencedFrameNumber")
    wanted = [frames] if isinstance(frames, int) else list(frames or ())
    return source.get("ReferencedSOPInstanceUID") == sop_instance_uid and (not wanted or number in map(int, wanted))


def _mask(seg: Dataset, frame: int) -> Array:
    if seg.get("BitsAllocated") == 1 and not seg.file_meta.TransferSyntaxUID.is_compressed:
        rows, columns = int(seg.Rows), int(seg.Columns)
        bits = np.unpackbits(np.frombuffer(one_bit(seg, frame), np.uint8), bitorder="little")[: rows * columns]
        return bits.reshape(rows, columns)
    return decoded(seg, frame)


def _colour(seg: Dataset, segment: int) -> tuple[int, int, int]:
    for item in seg.get("SegmentSequence") or ():
        lab = item.get("RecommendedDisplayCIELabValue")
        if item.get("SegmentNumber") == segment and lab is not None and len(lab) == 3:
            return _rgb(*(int(part) for part in lab))
    return _FALLBACK_COLOURS[(segment - 1) % len(_FALLBACK_COLOURS)]


def _rgb(l_star: int, a_star: int, b_star: int) -> tuple[int, int, int]:
    """CIELab as DICOM scales it (PS3.3 C.10.7.1.1) to sRGB."""
    lightness, a, b = l_star / 65535 * 100, a_star / 65535 * 255 - 128, b_star / 65535 * 255 - 128
    fy = (lightness + 16) / 116
    xyz = [_inverse(fy + a / 500) * 0.95047, _inverse(fy), _inverse(fy - b / 200) * 1.08883]
    matrix = ((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570))
    linear = [sum(weight * part for weight, part in zip(row, xyz, strict=True)) for row in matrix]
    red, green, blue = (_gamma(min(max(part, 0.0), 1.0)) for part in linear)
    return red, green, blue


def _inverse(value: float) -> float:
    return value**3 if value > 6 / 29 else 3 * (6 / 29) ** 2 * (value - 4 / 29)


def _gamma(value: float) -> int:
    return round(255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))


def _cut_and_scaled(image: Image.Image, region: Sequence[int] | None, size: Sequence[int] | None) -> Image.Image:
    if region:
        left, top, columns, rows = region
        image = image.crop((left, top, left + columns, top + rows))
    if size:
        scale = min(size[0] / image.width, size[1] / image.height)
        fitted = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(fitted, Image.Resampling.BILINEAR)
    return image


def _with_text(image: Image.Image, lines: Sequence[str]) -> Image.Image:
    image = image.convert("RGB")
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((4, 3 + 12 * number), line[:120], fill=(255, 255, 160))
    return image
