"""The measurements of a result as a Comprehensive 3D SR, template TID 1500 (PS3.16), PRELIMINARY and UNVERIFIED.

The values of a segment stand under the tracking UID of the SEG's segment. There is no image library: nothing reads
it, and it makes the document five times as long. There are two forms:

    segment   one group (TID 1411) per segment of the card, found or not, which points to the segment in the BINARY SEG.
              Analysis needs it; OHIF shows nothing but black
    planar    one group (TID 1410) per segment that was found, with the outline on the slice where the segment is
              largest: OHIF shows outline and values. Segments that were not found stand under Qualitative Evaluations
              as absent. It refers to images only, so it goes with any form of SEG, or alone

Where nothing was found the planar form has a group without a region (TID 1501) per segment, and a title by which OHIF
shows its words instead of looking for outlines. What the model says in words stands in the group of its segment, or
under Qualitative Evaluations (TID 1500 row 10).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import highdicom as hd
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import Comprehensive3DSRStorage, SegmentationStorage

from node.core.card import Code
from node.core.forms import Form
from node.core.results import encoded
from node.core.results.equipment import coded, complete, series_description, series_number, short, software_versions
from node.core.results.evaluation import Evaluation
from node.core.results.groups import Measured, group, grouped
from node.core.results.hygiene import CHARACTER_SET
from node.core.results.origin import Origin
from node.core.results.planes import Source
from node.core.results.seg import seg_series_uid, seg_uid
from node.core.results.uids import device_uid, result_uid

_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")  # CID 100; which one it was, the sources rarely say
_MEASUREMENTS = Code("126000", "DCM", "Imaging Measurement Report")  # CID 7021
_IN_WORDS = Code("18748-4", "LN", "Diagnostic imaging report")
_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
_ABSENT = Code("2667000", "SCT", "Absent")  # CID 240
_CONTAINS = hd.sr.RelationshipTypeValues.CONTAINS

_ROLES = {Form.SEGMENT: "sr", Form.PLANAR: "sr planar"}  # part of the UIDs
_SERIES_OFFSETS = {Form.SEGMENT: 2, Form.PLANAR: 3}  # SeriesNumber


def build_sr(
    source: Source,
    findings: Sequence[Measured],
    origin: Origin,
    moment: datetime,
    form: Form,
    evaluations: Sequence[Evaluation] = (),
) -> Dataset:
    """The SR document of measurements made on the voxels of the SEG, as a plain data set.

    Raises ValueError for an evaluation of a segment that is not one of the findings.
    """
    root = _report(source, findings, origin, form, evaluations)[0]
    # highdicom would copy the whole tree, and look through it for what is known here
    content, root.ContentSequence = list(root.ContentSequence), []
    made = hd.sr.Comprehensive3DSR(
        evidence=[_seg(source, origin)],
        content=root,
        series_instance_uid=result_uid(f"{_ROLES[form]} series", source.series_instance_uid, origin),
        series_number=series_number(source, origin, _SERIES_OFFSETS[form]),
        sop_instance_uid=result_uid(_ROLES[form], source.series_instance_uid, origin),
        instance_number=1,
        manufacturer=short(origin.manufacturer),
        manufacturer_model_name=short(origin.card.name),
        software_versions=software_versions(origin),
        device_serial_number=short(origin.device_serial_number),
        is_complete=True,
        is_final=False,
        is_verified=False,
        previous_versions=_predecessors(source, origin, form),
        series_description=series_description(origin, "SR" if form is Form.PLANAR else "SR of segments"),
        specific_character_set=CHARACTER_SET,
    )
    out = complete(made, source, origin, moment)
    out.ContentSequence = content
    refer_to = _evidence(source, origin, form)
    out[refer_to.tag] = refer_to
    return out


def _seg(source: Source, origin: Origin) -> Dataset:
    """The SEG, of which highdicom copies the Patient and Study attributes."""
    seg = Dataset()
    seg.update(source.inherited.header)
    seg.update(_item(source, seg_series_uid(source, origin), SegmentationStorage, seg_uid(source, origin)))
    return seg


def _evidence(source: Source, origin: Origin, form: Form) -> RawDataElement:
    """Current Requested Procedure Evidence (PS3.3 C.17.2.3): all source images, and the SEG.

    The planar form does not refer to the SEG, and goes where there is none.
    """
    seen = [
        (uid, [(str(header.SOPClassUID), str(header.SOPInstanceUID)) for header in headers])
        for uid, headers in source.series
    ]
    if form is Form.SEGMENT:
        seen.insert(0, (seg_series_uid(source, origin), [(SegmentationStorage, seg_uid(source, origin))]))
    series = [
        encoded.sequence("ReferencedSOPSequence", *(encoded.reference(*one) for one in instances))
        + encoded.element("SeriesInstanceUID", uid)
        for uid, instances in seen
    ]
    study = encoded.sequence("ReferencedSeriesSequence", *series)
    study += encoded.element("StudyInstanceUID", source.study_instance_uid)
    return encoded.undecoded("CurrentRequestedProcedureEvidenceSequence", [study])


def _item(source: Source, series_instance_uid: str, sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID, item.SeriesInstanceUID = source.study_instance_uid, series_instance_uid
    item.SOPClassUID, item.SOPInstanceUID = sop_class_uid, sop_instance_uid
    return item


def _predecessors(source: Source, origin: Origin, form: Form) -> list[Dataset] | None:
    """The document that this one takes the place of: of the same form, or of another where that is all there was."""
    before = next((one for one in origin.supersedes if one.form == form), next(iter(origin.supersedes), None))
    if before is None:
        return None
    return [_item(source, before.series_instance_uid, Comprehensive3DSRStorage, before.sop_instance_uid)]


def _report(
    source: Source, findings: Sequence[Measured], origin: Origin, form: Form, evaluations: Sequence[Evaluation]
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
    said = grouped(findings, form)
    in_words = form is Form.PLANAR and not any(found.drawn for found in said)
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=coded(_PROCEDURE),
        imaging_measurements=[group(found, form, source, origin, evaluations) for found in said] or [_nothing(origin)],
        title=coded(_IN_WORDS if in_words else _MEASUREMENTS),
    )
    if not said:  # Imaging Measurements may be absent where there are evaluations (TID 1500 row 6)
        report[0].ContentSequence.pop()
    if general := _general(findings, said, evaluations):
        report[0].ContentSequence.append(general)
    return report


def _nothing(origin: Origin) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """Stands where highdicom wants a group and a classification has none; it is taken out again."""
    return hd.sr.MeasurementsAndQualitativeEvaluations(hd.sr.TrackingIdentifier(device_uid(origin), "nothing"))


def _general(
    findings: Sequence[Measured], said: Sequence[Measured], evaluations: Sequence[Evaluation]
) -> hd.sr.ContainerContentItem | None:
    """What is said in words of no group: of the images as a whole, and of segments that have none."""
    if unknown := {one.segment for one in evaluations} - {None, *(found.segment.number for found in findings)}:
        raise ValueError(f"an evaluation is of segment {unknown.pop()}, which the model's card does not describe")
    words = [(one.concept, one.value) for one in evaluations if one.segment is None]
    numbers = {found.segment.number for found in said}
    for segment in (found.segment for found in findings if found.segment.number not in numbers):
        words.append((segment.type, _ABSENT))
        words += [(one.concept, one.value) for one in evaluations if one.segment == segment.number]
    if not words:
        return None
    container = hd.sr.ContainerContentItem(coded(_EVALUATIONS), relationship_type=_CONTAINS)
    container.ContentSequence = hd.sr.ContentSequence(
        [hd.sr.CodeContentItem(coded(concept), coded(value), _CONTAINS) for concept, value in words]
    )
    return container
