"""One form of a result, made of what the model found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from node.core.forms import Form
from node.core.results.bits import Bits
from node.core.results.evaluation import Evaluation
from node.core.results.groups import Drawn, Measured
from node.core.results.gsps import build_gsps
from node.core.results.labels import Labels
from node.core.results.measurements import SegmentMeasurement
from node.core.results.origin import Origin
from node.core.results.outline import outline_of
from node.core.results.overlay import build_overlay
from node.core.results.page import build_page
from node.core.results.planes import Source, slice_references
from node.core.results.seg import build_fractional, build_labelmap, build_seg
from node.core.results.sr import build_sr
from node.core.volume import Volume


@dataclass(frozen=True)
class Findings:
    """What a model found on one volume, checked and measured: every form is made of this."""

    volume: Volume
    source: Source
    labels: Labels
    segments: tuple[Bits, ...]  # of the labels, one per segment of the card
    values: NDArray[np.float32]
    origin: Origin
    moment: datetime
    measurements: tuple[SegmentMeasurement, ...]
    evaluations: tuple[Evaluation, ...]
    probabilities: NDArray[np.float32] | None


def make(found: Findings, form: Form) -> Dataset | None:
    """The data set of a form; None where what was found has no such form."""
    volume, source, labels, origin, moment = found.volume, found.source, found.labels, found.origin, found.moment
    match form:
        case Form.BINARY:
            return build_seg(volume, source, labels, found.segments, origin, moment)
        case Form.LABELMAP:
            return build_labelmap(volume, source, labels, origin, moment)
        case Form.FRACTIONAL:
            return build_fractional(volume, source, labels, found.probabilities, origin, moment)
        case Form.PLANAR | Form.SEGMENT:
            return build_sr(source, _measured(found, form), origin, moment, form, found.evaluations)
        case Form.OVERLAY:
            return build_overlay(volume, source, labels, found.values, origin, moment)
        case Form.GSPS:
            return build_gsps(volume, source, labels, origin, moment)
        case Form.PDF:
            return build_page(
                volume, source, labels, found.values, found.measurements, found.evaluations, origin, moment
            )


def _measured(found: Findings, form: Form) -> list[Measured]:
    references, measured = slice_references(found.volume), []
    classes = {str(header.SOPInstanceUID): str(header.SOPClassUID) for header in found.source.headers}
    for reference in references:  # as the evidence sequence names it
        reference.ReferencedSOPClassUID = classes[reference.ReferencedSOPInstanceUID]
    for segment, bits, numbers in zip(found.origin.card.segments, found.segments, found.measurements, strict=True):
        drawn = None
        if form is Form.PLANAR:
            outline = outline_of(bits)
            drawn = None if outline is None else Drawn(outline, references[outline.plane])
        measured.append(Measured(segment, numbers, drawn))
    return measured
