"""The findings as colour pictures, for viewers that show neither SEG nor SR: a series of Secondary Captures.

One Multi-frame True Color Secondary Capture image (PS3.3 A.8.4) has one frame per slice on which something was found,
or the middle slice where nothing was: the source in grey, the segments in their colours over it. Of more than 89 such
slices it has 89 at even steps, since OHIF takes a longer capture for a video. Frames are labelled with the slice's
number, from 1 in volume order (Frame Label Vector, PS3.3 C.8.6.4). A capture has no position in the patient: it is to
be looked at, not measured on.
"""

from __future__ import annotations

from datetime import datetime

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage

from node.core.card import Segment
from node.core.results.equipment import complete, made_by, series_description, series_number, short
from node.core.results.labels import Labels, Mask, mask_of
from node.core.results.origin import Origin
from node.core.results.planes import Source, instance_references
from node.core.results.uids import result_uid
from node.core.volume import Volume

_SERIES_OFFSET = 6
_MOST_FRAMES = 89  # with more, OHIF's viewport stays black
_OPACITY = 0.4  # of a segment over the image
_WINDOW = (1.0, 99.5)  # percentiles of the volume that become black and white
_D50 = np.array([0.9642, 1.0, 0.8249])  # white of the PCS in which CIELab colours are given (PS3.3 C.10.7.1.1)
_TO_SRGB = np.array(
    [[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]]
)  # XYZ under D50 to linear sRGB, Bradford-adapted

Colors = NDArray[np.uint8]  # (..., 3): red, green, blue


def build_overlay(
    volume: Volume, source: Source, labels: Labels, values: NDArray[np.float32], origin: Origin, moment: datetime
) -> Dataset:
    """The Secondary Capture of labels that `labels.check_labels` has passed, as a plain data set."""
    planes = _shown(labels)
    out = complete(source.inherited.header, source, origin, moment)
    out.SOPClassUID = MultiFrameTrueColorSecondaryCaptureImageStorage
    out.SOPInstanceUID = result_uid("overlay", source.series_instance_uid, origin)
    out.SeriesInstanceUID = result_uid("overlay series", source.series_instance_uid, origin)
    out.SeriesNumber, out.InstanceNumber = series_number(source, origin, _SERIES_OFFSET), 1
    out.SeriesDescription = series_description(origin, "Overlay")
    out.Modality, out.ConversionType, out.ImageType = "OT", "WSD", ["DERIVED", "SECONDARY", "OVERLAY"]
    out.Laterality = None  # Type 2C: which side it is, the sources rarely say
    made_by(out, origin)
    out.PatientOrientation = None
    out.BurnedInAnnotation, out.RecognizableVisualFeatures = "NO", "YES"
    out.DerivationDescription = short(f"{origin.card.name} {origin.card.version}, not verified by a person", 1024)
    out.DerivationCodeSequence = [hd.sr.CodedConcept.from_code(codes.DCM.Segmentation)]
    out.SourceImageSequence = instance_references(source)
    out.LossyImageCompression = "00"
    painted = painted_planes(labels[planes], values, planes, origin)
    _add_pixels(out, volume, painted, [f"Slice {index + 1}" for index in planes])
    return out


def _add_pixels(out: Dataset, volume: Volume, frames: Colors, names: list[str]) -> None:
    out.NumberOfFrames, out.Rows, out.Columns = len(frames), volume.rows, volume.columns
    out.SamplesPerPixel, out.PhotometricInterpretation, out.PlanarConfiguration = 3, "RGB", 0
    out.BitsAllocated, out.BitsStored, out.HighBit, out.PixelRepresentation = 8, 8, 7, 0
    if len(frames) > 1:
        out.FrameIncrementPointer = tag_for_keyword("FrameLabelVector")
        out.FrameLabelVector = names
    pixels = frames.tobytes()
    out.PixelData = pixels + b"\0" * (len(pixels) % 2)


def _shown(labels: Labels) -> list[int]:
    """Indices of the slices that hold something, else of the middle one."""
    found = np.flatnonzero(np.asarray(labels.any(axis=(1, 2))))
    if len(found) > _MOST_FRAMES:
        found = found[np.linspace(0, len(found) - 1, _MOST_FRAMES).round().astype(int)]
    return [int(index) for index in found] or [len(labels) // 2]


def painted_planes(labels: Labels, values: NDArray[np.float32], planes: list[int], origin: Origin) -> Colors:
    """Pictures (planes, rows, columns, 3) of some planes of a volume, whose labels are given, with its values."""
    black, white = np.percentile(values[np.isfinite(values)], _WINDOW) if np.isfinite(values).any() else (0.0, 1.0)
    grey = np.clip((np.nan_to_num(values[planes]) - black) / max(white - black, 1e-6), 0, 1) * 255
    frames = np.repeat(grey[..., np.newaxis], 3, axis=-1).astype(np.float32)
    for segment in origin.card.segments:
        _paint(frames, mask_of(labels, segment.number, origin.card.encoding), segment)
    return np.rint(frames).astype(np.uint8)


def _paint(frames: NDArray[np.float32], mask: Mask, segment: Segment) -> None:
    frames[mask] = (1 - _OPACITY) * frames[mask] + _OPACITY * rgb(segment.color)


def rgb(color: tuple[float, float, float]) -> NDArray[np.float64]:
    """sRGB, 0 to 255, of a CIELab colour (PS3.3 C.10.7.1.1); what a screen cannot show is cut off."""
    lightness, a, b = color
    middle = (lightness + 16) / 116
    f = np.array([middle + a / 500, middle, middle - b / 200])
    xyz = _D50 * np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    linear = np.clip(_TO_SRGB @ xyz, 0, 1)
    encoded: NDArray[np.float64] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return 255 * encoded
