"""The label tensor of a model as a DICOM Segmentation (PS3.3 A.51): BINARY, one instance in its own series.

Geometry is that of the Volume. Every frame names the one source image, or source frame, that it lies on
(Derivation Image Sequence, PS3.3 C.7.6.16.2.6). A segment without a voxel keeps its description and has no frame.
Where nothing at all was found, each segment has one empty frame on the middle slice: an image must have a frame
(Number of Frames, PS3.3 C.7.6.6), and readers then know what was looked for and where.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import highdicom as hd
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from node.core.results.equipment import (
    algorithm_parameters,
    coded,
    complete,
    series_description,
    series_number,
    short,
    software_versions,
)
from node.core.results.hygiene import CHARACTER_SET
from node.core.results.labels import Labels, stacked, without_overlap
from node.core.results.origin import Origin
from node.core.results.planes import Source, instance_references, lossy, slice_references, stand_ins
from node.core.results.uids import result_uid
from node.core.volume import Volume

_DERIVATION = codes.DCM.Segmentation
_PURPOSE = codes.DCM.SourceImageForImageProcessingOperation
_SERIES_OFFSET = 1


def tracking_uid(source: Source, origin: Origin, number: int) -> str:
    """The tracking UID by which the SEG and the SR name the same finding (PS3.3 C.8.20.2, TID 1411)."""
    return result_uid(f"tracking/{number}", source.series_instance_uid, origin)


def tracking_id(origin: Origin, label: str) -> str:
    """The tracking identifier for people that goes with the tracking UID."""
    return short(f"{origin.card.name}/{label}")


def build_seg(volume: Volume, source: Source, labels: Labels, origin: Origin, moment: datetime) -> Dataset:
    """The Segmentation of labels that `labels.check_labels` has passed, as a plain data set."""
    shown = _shown(labels)
    numbers = without_overlap(labels[shown], origin.card)
    made = hd.seg.Segmentation(
        source_images=stand_ins(volume, source)[shown],
        pixel_array=stacked(labels[shown], origin.card) if numbers is None else numbers,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=_descriptions(source, origin),
        series_instance_uid=result_uid("seg series", source.series_instance_uid, origin),
        series_number=series_number(source, origin, _SERIES_OFFSET),
        sop_instance_uid=result_uid("seg", source.series_instance_uid, origin),
        instance_number=1,
        manufacturer=short(origin.manufacturer),
        manufacturer_model_name=short(origin.card.name),
        software_versions=software_versions(origin),
        device_serial_number=short(origin.device_serial_number),
        content_label="SEGMENTATION",
        content_description=short(f"{origin.card.name} {origin.card.version}, not verified by a person"),
        content_creator_name=f"{short(origin.manufacturer, 60)}^AI",  # Type 2; the form of a person's name
        series_description=series_description(origin, "SEG"),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set=CHARACTER_SET,
        omit_empty_frames=bool(labels.any()),
    )
    out = complete(made, source, origin, moment)
    _name_dimensions(out, result_uid("dimensions", source.series_instance_uid, origin))
    _refer_to_sources(out, volume, source, range(len(labels))[shown])
    _pad_with_zero(out)
    for keyword, value in lossy(source).items():
        setattr(out, keyword, value)
    return out


def _shown(labels: Labels) -> slice:
    """The slices that highdicom is given: all, or the middle one when there is nothing to show on any."""
    middle = len(labels) // 2
    return slice(None) if labels.any() else slice(middle, middle + 1)


def _descriptions(source: Source, origin: Origin) -> list[hd.seg.SegmentDescription]:
    card = origin.card
    algorithm = hd.AlgorithmIdentificationSequence(
        name=short(card.name),
        family=coded(card.algorithm_family),
        version=short(card.version),
        source=short(card.weights.origin) or None,
        parameters=algorithm_parameters(origin),
    )
    return [
        hd.seg.SegmentDescription(
            segment_number=segment.number,
            segment_label=short(segment.label),
            segmented_property_category=coded(segment.category),
            segmented_property_type=coded(segment.type),
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=tracking_uid(source, origin, segment.number),
            tracking_id=tracking_id(origin, segment.label),
            display_color=hd.color.CIELabColor(*segment.color),
        )
        for segment in card.segments
    ]


def _pad_with_zero(seg: Dataset) -> None:
    """End pixel data of an odd length with 00H (PS3.5 8.1.1); highdicom ends it with the character 0."""
    length = (seg.NumberOfFrames * seg.Rows * seg.Columns + 7) // 8
    if length % 2:
        seg.PixelData = seg.PixelData[:length] + b"\0"


def _name_dimensions(seg: Dataset, uid: str) -> None:
    """One Dimension Organization UID of ours in place of highdicom's random one (PS3.3 C.7.6.17)."""
    for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def _refer_to_sources(seg: Dataset, volume: Volume, source: Source, planes: Sequence[int]) -> None:
    """Name the true source images where highdicom has named the stand-ins."""
    instances = instance_references(source)
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = source.series_instance_uid, instances
    seg.ReferencedSeriesSequence, seg.SourceImageSequence = [series], instances
    references = slice_references(volume)
    derived = {f"2.25.{plane + 1}": _derivation(references[plane]) for plane in planes}
    for frame in seg.PerFrameFunctionalGroupsSequence:
        stand_in = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        frame["DerivationImageSequence"] = derived[stand_in]


def _derivation(reference: Dataset) -> DataElement:
    """Derivation Image Sequence of the frames on one slice; the frames of several segments share it."""
    reference.PurposeOfReferenceCodeSequence = [hd.sr.CodedConcept.from_code(_PURPOSE)]
    reference.SpatialLocationsPreserved = "YES"
    item = Dataset()
    item.SourceImageSequence = [reference]
    item.DerivationCodeSequence = [hd.sr.CodedConcept.from_code(_DERIVATION)]
    return DataElement("DerivationImageSequence", "SQ", Items([item]))
