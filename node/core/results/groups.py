"""Measurement groups of an SR (PS3.16 TID 1410, 1411 and 1501): what is said of one segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import highdicom as hd
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage, SegmentationStorage

from node.core.card import Code, Segment
from node.core.forms import Form
from node.core.results.equipment import algorithm_parameters, coded, short
from node.core.results.evaluation import Evaluation
from node.core.results.measurements import SegmentMeasurement
from node.core.results.origin import Origin
from node.core.results.outline import Outline
from node.core.results.planes import Source
from node.core.results.seg import seg_uid, tracking_id, tracking_uid

_VOLUME = Code("118565006", "SCT", "Volume")  # CID 7469
_SIGNAL = Code("110852", "DCM", "MR signal intensity")  # CID 7469
_MEAN = Code("373098007", "SCT", "Mean")  # CID 7464
_DEVIATION = Code("386136009", "SCT", "Standard Deviation")  # CID 7464
_DIAMETER = Code("L0JK", "IBSI", "Maximum 3D Diameter of a Mesh")  # CID 7469
_CUBIC_CENTIMETRE = Code("cm3", "UCUM", "cubic centimeter")
_MILLIMETRE = Code("mm", "UCUM", "millimeter")
_NO_UNIT = Code("1", "UCUM", "no units")  # MR signal has none

Group = (
    hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations
    | hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations
    | hd.sr.MeasurementsAndQualitativeEvaluations
)


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


def grouped(findings: Sequence[Measured], form: Form) -> Sequence[Measured]:
    """The findings that have a group of their own in a form, with an outline only where the form has one.

    Outlines and groups without one do not mix: where there is exactly one outline, PixelMed's validator takes every
    group of the document for a planar one.
    """
    if form is Form.SEGMENT:
        return [replace(found, drawn=None) for found in findings]
    return [found for found in findings if found.drawn is not None] or findings


def group(found: Measured, form: Form, source: Source, origin: Origin, evaluations: Sequence[Evaluation]) -> Group:
    """The group of one of `grouped` findings, with the tracking UID that the SEG gives the segment."""
    segment = found.segment
    words = [
        hd.sr.QualitativeEvaluation(coded(one.concept), coded(one.value))
        for one in evaluations
        if one.segment == segment.number
    ]
    said: dict[str, Any] = {
        "tracking_identifier": hd.sr.TrackingIdentifier(
            uid=tracking_uid(source, origin, segment.number), identifier=tracking_id(origin, segment.label)
        ),
        "finding_category": coded(segment.category),
        "finding_type": coded(segment.type),
        "measurements": _numbers(found.numbers, origin),
        "qualitative_evaluations": words or None,
    }
    if form is Form.SEGMENT:
        referenced = _referenced_segment(segment, source, origin)
        return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(**said, referenced_segment=referenced)
    if found.drawn is None:
        return hd.sr.MeasurementsAndQualitativeEvaluations(**said)
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(**said, referenced_region=_region(found.drawn))


def _referenced_segment(segment: Segment, source: Source, origin: Origin) -> hd.sr.ReferencedSegment:
    return hd.sr.ReferencedSegment(
        sop_class_uid=SegmentationStorage,
        sop_instance_uid=seg_uid(source, origin),
        segment_number=segment.number,
        source_series=hd.sr.SourceSeriesForSegmentation(source.series_instance_uid),
    )


def _region(drawn: Drawn) -> hd.sr.ImageRegion:
    frame = drawn.image.get("ReferencedFrameNumber")
    # highdicom knows no private SOP classes: the true one is written afterwards
    image = hd.sr.SourceImageForRegion(
        MRImageStorage, drawn.image.ReferencedSOPInstanceUID, None if frame is None else [int(frame)]
    )
    region = hd.sr.ImageRegion(hd.sr.GraphicTypeValues.POLYLINE, drawn.outline.corners, image)
    region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPClassUID = drawn.image.ReferencedSOPClassUID
    return region


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
