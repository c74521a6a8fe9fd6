"""The measurements of a result as a Comprehensive 3D SR, template TID 1500 (PS3.16), PRELIMINARY and UNVERIFIED.

The values of a segment stand under the tracking UID of the SEG's segment. There is no image library: nothing reads
it, and it makes the document five times as long. There are two forms:

    segment   one group (TID 1411) per segment of the card, found or not, which points to the segment in the SEG
    planar    for viewers that draw: one group (TID 1410) per segment that was found, with the outline on the slice
              where the segment is largest. OHIF shows outline and values; of a group that points to a segment it shows
              nothing but black. Segments that were not found stand under Qualitative Evaluations as absent; only where
              none was found there are groups that point to segments

What the model says in words stands in the group of its segment, or under Qualitative Evaluations (TID 1500 row 10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import highdicom as hd
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import Comprehensive3DSRStorage, MRImageStorage

from node.core.card import Code, Segment
from node.core.results.equipment import (
    algorithm_parameters,
    coded,
    complete,
    series_description,
    series_number,
    short,
    software_versions,
)
from node.core.results.evaluation import Evaluation
from node.core.results.hygiene import CHARACTER_SET
from node.core.results.measurements import SegmentMeasurement
from node.core.results.origin import Origin
from node.core.results.outline import Outline
from node.core.results.planes import Source
from node.core.results.seg import tracking_id, tracking_uid
from node.core.results.uids import device_uid, result_uid

_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")  # CID 100; which one it was, the sources rarely say
_VOLUME = Code("118565006", "SCT", "Volume")  # CID 7469
_SIGNAL = Code("110852", "DCM", "MR signal intensity")  # CID 7469
_MEAN = Code("373098007", "SCT", "Mean")  # CID 7464
_DEVIATION = Code("386136009", "SCT", "Standard Deviation")  # CID 7464
_DIAMETER = Code("L0JK", "IBSI", "Maximum 3D Diameter of a Mesh")  # CID 7469
_CUBIC_CENTIMETRE = Code("cm3", "UCUM", "cubic centimeter")
_MILLIMETRE = Code("mm", "UCUM", "millimeter")
_NO_UNIT = Code("1", "UCUM", "no units")  # MR signal has none
_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
_ABSENT = Code("2667000", "SCT", "Absent")  # CID 240

_Group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations | hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations


class SrForm(StrEnum):
    """What the measurements of an SR point to."""

    SEGMENT = "segment"
    PLANAR = "planar"


@dataclass(frozen=True)
class Drawn:
    """An outline, and the reference (PS3.3 10.3) to the image that it is drawn on."""

    outline: Outline
    image: Dataset


@dataclass(frozen=True)
class Measured:
    """What an SR says of one segment."""

    segment: Segment
    numbers: SegmentMeasurement
    drawn: Drawn | None


_CONTAINS = hd.sr.RelationshipTypeValues.CONTAINS
_SERIES_OFFSETS = {SrForm.SEGMENT: 2, SrForm.PLANAR: 3}  # SeriesNumber


def build_sr(
    source: Source,
    seg: Dataset,
    findings: Sequence[Measured],
    origin: Origin,
    moment: datetime,
    form: SrForm,
    evaluations: Sequence[Evaluation] = (),
) -> Dataset:
    """The SR document of measurements made on the voxels of `seg`, as a plain data set.

    Raises ValueError for an evaluation of a segment that is not one of the findings.
    """
    role = "sr" if form is SrForm.SEGMENT else f"sr {form}"
    made = hd.sr.Comprehensive3DSR(
        # The SEG comes first: highdicom copies the Patient and Study attributes of the first one, and it has ours
        evidence=[seg, *(_evidence(header, source) for header in source.headers)],
        content=_report(source, seg, findings, origin, form, evaluations),
        series_instance_uid=result_uid(f"{role} series", source.series_instance_uid, origin),
        series_number=series_number(source, origin, _SERIES_OFFSETS[form]),
        sop_instance_uid=result_uid(role, source.series_instance_uid, origin),
        instance_number=1,
        manufacturer=short(origin.manufacturer),
        manufacturer_model_name=short(origin.card.name),
        software_versions=software_versions(origin),
        device_serial_number=short(origin.device_serial_number),
        is_complete=True,
        is_final=False,
        is_verified=False,
        previous_versions=_predecessors(source, origin),
        series_description=series_description(origin, "SR"),
        specific_character_set=CHARACTER_SET,
    )
    return complete(made, source, origin, moment)


def _evidence(header: Dataset, source: Source) -> Dataset:
    """What the evidence sequence (PS3.3 C.17.2.3) says of one source instance."""
    item = Dataset()
    item.StudyInstanceUID, item.SeriesInstanceUID = source.study_instance_uid, source.series_instance_uid
    item.SOPClassUID, item.SOPInstanceUID = str(header.SOPClassUID), str(header.SOPInstanceUID)
    return item


def _predecessors(source: Source, origin: Origin) -> list[Dataset] | None:
    before = origin.supersedes
    if before is None:
        return None
    item = Dataset()
    item.StudyInstanceUID, item.SeriesInstanceUID = source.study_instance_uid, before.series_instance_uid
    item.SOPClassUID, item.SOPInstanceUID = Comprehensive3DSRStorage, before.sop_instance_uid
    return [item]


def _report(
    source: Source,
    seg: Dataset,
    findings: Sequence[Measured],
    origin: Origin,
    form: SrForm,
    evaluations: Sequence[Evaluation],
) -> hd.sr.MeasurementReport:
    card = origin.card
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=device_uid(origin),
        name=short(card.name),
        manufacturer_name=short(origin.manufacturer),
        model_name=short(card.name),
        serial_number=short(origin.device_serial_number),
    )
    observer = hd.sr.ObserverContext(codes.DCM.Device, device)
    said, of_all = _said(findings, form), _general(findings, form, evaluations)
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=coded(_PROCEDURE),
        imaging_measurements=[_group(source, seg, found, origin, evaluations) for found in said],
        title=codes.DCM.ImagingMeasurementReport,
    )
    if of_all:
        report[0].ContentSequence.append(of_all)
    return report


def _general(
    findings: Sequence[Measured], form: SrForm, evaluations: Sequence[Evaluation]
) -> hd.sr.ContainerContentItem | None:
    """What is said in words of no group: of the images as a whole, and of segments that have none (TID 1500 row 10)."""
    known = {found.segment.number: found.segment for found in findings}
    if unknown := {one.segment for one in evaluations} - {None, *known}:
        raise ValueError(f"an evaluation is of segment {unknown.pop()}, which the model's card does not describe")
    grouped = {found.segment.number for found in _said(findings, form)}
    words = [(one.concept, one.value) for one in evaluations if one.segment is None]
    for segment in (found.segment for found in findings if found.segment.number not in grouped):
        words.append((segment.type, _ABSENT))
        words += [(one.concept, one.value) for one in evaluations if one.segment == segment.number]
    if not words:
        return None
    container = hd.sr.ContainerContentItem(coded(_EVALUATIONS), relationship_type=_CONTAINS)
    container.ContentSequence = hd.sr.ContentSequence(
        [hd.sr.CodeContentItem(coded(concept), coded(value), _CONTAINS) for concept, value in words]
    )
    return container


def _said(findings: Sequence[Measured], form: SrForm) -> Sequence[Measured]:
    """The segments that a form speaks of, with an outline only where the form has one.

    Outlines and references to segments do not mix: PixelMed's validator takes the whole document for planar ones where
    there is one outline.
    """
    if form is SrForm.SEGMENT:
        return [replace(found, drawn=None) for found in findings]
    return [found for found in findings if found.drawn is not None] or findings


def _group(source: Source, seg: Dataset, found: Measured, origin: Origin, evaluations: Sequence[Evaluation]) -> _Group:
    name = hd.sr.TrackingIdentifier(
        uid=tracking_uid(source, origin, found.segment.number), identifier=tracking_id(origin, found.segment.label)
    )
    numbers = _numbers(found.numbers, origin)
    words = [
        hd.sr.QualitativeEvaluation(coded(one.concept), coded(one.value))
        for one in evaluations
        if one.segment == found.segment.number
    ]
    if found.drawn is not None:
        return _planar(found.segment, found.drawn, name, numbers, words)
    return _volumetric(source, seg, found.segment, name, numbers, words)


def _volumetric(
    source: Source,
    seg: Dataset,
    segment: Segment,
    name: hd.sr.TrackingIdentifier,
    numbers: list[hd.sr.Measurement],
    words: list[hd.sr.QualitativeEvaluation],
) -> _Group:
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=name,
        referenced_segment=hd.sr.ReferencedSegment(
            sop_class_uid=seg.SOPClassUID,
            sop_instance_uid=seg.SOPInstanceUID,
            segment_number=segment.number,
            source_series=hd.sr.SourceSeriesForSegmentation(source.series_instance_uid),
        ),
        finding_category=coded(segment.category),
        finding_type=coded(segment.type),
        measurements=numbers,
        qualitative_evaluations=words or None,
    )


def _planar(
    segment: Segment,
    drawn: Drawn,
    name: hd.sr.TrackingIdentifier,
    numbers: list[hd.sr.Measurement],
    words: list[hd.sr.QualitativeEvaluation],
) -> _Group:
    frame = drawn.image.get("ReferencedFrameNumber")
    # highdicom knows no private SOP classes: the true one is written afterwards
    image = hd.sr.SourceImageForRegion(
        MRImageStorage, drawn.image.ReferencedSOPInstanceUID, None if frame is None else [int(frame)]
    )
    region = hd.sr.ImageRegion(hd.sr.GraphicTypeValues.POLYLINE, drawn.outline.corners, image)
    region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPClassUID = drawn.image.ReferencedSOPClassUID
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=name,
        referenced_region=region,
        finding_category=coded(segment.category),
        finding_type=coded(segment.type),
        measurements=numbers,
        qualitative_evaluations=words or None,
    )


def _numbers(measured: SegmentMeasurement, origin: Origin) -> list[hd.sr.Measurement]:
    algorithm = hd.sr.AlgorithmIdentification(
        name=short(origin.card.name),
        version=short(origin.card.version),
        parameters=[f"{name}={value}" for name, value in algorithm_parameters(origin).items()],
    )
    rows = (
        (_VOLUME, measured.volume_ml, _CUBIC_CENTIMETRE, None),
        (_SIGNAL, measured.mean, _NO_UNIT, _MEAN),
        (_SIGNAL, measured.sd, _NO_UNIT, _DEVIATION),
        (_DIAMETER, measured.diameter_mm, _MILLIMETRE, None),
    )
    return [
        hd.sr.Measurement(
            name=coded(name),
            value=_rounded(value),
            unit=coded(unit),
            derivation=None if derivation is None else coded(derivation),
            algorithm_id=algorithm,
        )
        for name, value, unit, derivation in rows
        if value is not None
    ]


def _rounded(value: float) -> float:
    """Six significant digits: more than is known, and within the 16 characters of a DS (PS3.5 6.2)."""
    return float(f"{value:.6g}")
