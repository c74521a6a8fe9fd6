"""The outlines of segments as a Grayscale Softcopy Presentation State (PS3.3 A.33.1), for PACS that show no SEG.

Every border of every segment, on every source image that it is found on: a closed polyline along the borders of pixels,
in the graphic layer and colour of its segment. Holes have borders of their own. The images themselves are shown as they
are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from node.core.results.equipment import complete, made_by, series_description, series_number, short
from node.core.results.labels import Labels, mask_of
from node.core.results.origin import Origin
from node.core.results.outline import closed_borders
from node.core.results.planes import Source, instance_references, slice_references
from node.core.results.uids import result_uid
from node.core.volume import Volume

_SERIES_OFFSET = 7
_ONE = 65535  # of the 16 bits of a CIELab value (PS3.3 C.10.7.1.1)


def build_gsps(volume: Volume, source: Source, labels: Labels, origin: Origin, moment: datetime) -> Dataset:
    """The presentation state of labels that `labels.check_labels` has passed, as a plain data set."""
    out = complete(source.inherited.header, source, origin, moment)
    out.SOPClassUID = GrayscaleSoftcopyPresentationStateStorage
    out.SOPInstanceUID = result_uid("gsps", source.series_instance_uid, origin)
    out.SeriesInstanceUID = result_uid("gsps series", source.series_instance_uid, origin)
    out.SeriesNumber, out.InstanceNumber = series_number(source, origin, _SERIES_OFFSET), 1
    out.SeriesDescription, out.Modality = series_description(origin, "Outlines"), "PR"
    out.Laterality = None  # Type 2C: which side it is, the sources rarely say
    made_by(out, origin)
    out.ContentLabel = "OUTLINES"
    out.ContentDescription = short(f"{origin.card.name} {origin.card.version}, not verified by a person")
    out.ContentCreatorName = f"{short(origin.manufacturer, 60)}^AI"
    out.PresentationCreationDate, out.PresentationCreationTime = out.ContentDate, out.ContentTime
    del out.ContentDate, out.ContentTime
    out.ReferencedSeriesSequence = [_series(source)]
    out.DisplayedAreaSelectionSequence = [_displayed_area(volume)]
    out.PresentationLUTShape = "IDENTITY"
    if annotations := [*_annotations(volume, labels, origin)]:
        out.GraphicAnnotationSequence = annotations
        drawn = {annotation.GraphicLayer for annotation in annotations}
        out.GraphicLayerSequence = [layer for layer in _layers(origin) if layer.GraphicLayer in drawn]
    return out


def _series(source: Source) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = source.series_instance_uid
    item.ReferencedImageSequence = instance_references(source)
    return item


def _displayed_area(volume: Volume) -> Dataset:
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [volume.columns, volume.rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    area.PresentationPixelSpacing = [f"{spacing:.10g}" for spacing in volume.pixel_spacing]
    return area


def _layer(number: int) -> str:
    return f"SEGMENT{number}"


def _layers(origin: Origin) -> Iterator[Dataset]:
    for segment in origin.card.segments:
        layer = Dataset()
        layer.GraphicLayer, layer.GraphicLayerOrder = _layer(segment.number), segment.number
        layer.GraphicLayerDescription = short(segment.label)
        lightness, a, b = segment.color
        shares = np.clip([lightness / 100, (a + 128) / 255, (b + 128) / 255], 0, 1)
        layer.GraphicLayerRecommendedDisplayCIELabValue = [round(float(share) * _ONE) for share in shares]
        yield layer


def _annotations(volume: Volume, labels: Labels, origin: Origin) -> Iterator[Dataset]:
    references = slice_references(volume)
    for segment in origin.card.segments:
        mask = mask_of(labels, segment.number, origin.card.encoding)
        for index in np.flatnonzero(np.asarray(mask.any(axis=(1, 2)))):
            item = Dataset()
            item.ReferencedImageSequence = [references[index]]
            item.GraphicLayer = _layer(segment.number)
            item.GraphicObjectSequence = [_polyline(corners) for corners in closed_borders(mask[index])]
            yield item


def _polyline(corners: NDArray[np.float32]) -> Dataset:
    graphic = Dataset()
    graphic.GraphicAnnotationUnits, graphic.GraphicDimensions = "PIXEL", 2
    graphic.NumberOfGraphicPoints = len(corners)
    graphic.GraphicData = [float(value) for value in corners.ravel()]
    graphic.GraphicType, graphic.GraphicFilled = "POLYLINE", "N"
    return graphic
