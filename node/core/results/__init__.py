"""Results: a label tensor becomes a DICOM SEG and a TID 1500 SR that name their sources, model and rule.

    encode  ─▶ hygiene   which Patient and Study attributes are legal to inherit
            ─▶ planes    the slices as highdicom wants them, and the references back to the true sources
            ─▶ seg       the Segmentation                  ─▶ files.to_bytes ─▶ verify
            ─▶ sr        the measurements on the same voxels

Nothing here reads a clock or draws a random number: the same inputs give the same bytes in every process. highdicom
is imported in this room only, which makes it the one slow import of the core.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from node.core.results.evaluation import Evaluation
from node.core.results.files import to_bytes
from node.core.results.labels import Labels, check_labels, check_probabilities, mask_of
from node.core.results.measurements import SegmentMeasurement, measure
from node.core.results.moment import moment_of
from node.core.results.origin import Origin, Predecessor
from node.core.results.outline import largest_outline
from node.core.results.overlay import build_overlay
from node.core.results.planes import slice_references, slice_thickness, source_of
from node.core.results.seg import build_fractional, build_labelmap, build_seg
from node.core.results.sr import Drawn, Measured, SrForm, build_sr
from node.core.results.uids import inputs_sha256
from node.core.results.verify import verify, verify_files
from node.core.volume import Volume

__all__ = [
    "Evaluation",
    "Origin",
    "Predecessor",
    "Results",
    "SegmentMeasurement",
    "SrForm",
    "as_fractional",
    "as_labelmap",
    "encode",
    "inputs_sha256",
    "overlay",
    "structured_report",
    "to_bytes",
    "verify",
    "verify_files",
]


@dataclass(frozen=True)
class Results:
    """What one model found on one volume."""

    seg: Dataset  # Segmentation, BINARY
    sr: Dataset  # Comprehensive 3D SR, TID 1500
    measurements: tuple[SegmentMeasurement, ...]  # one per segment of the card
    notes: tuple[str, ...]  # source attributes that were not legal and not copied; free of patient data
    evaluations: tuple[Evaluation, ...] = ()  # what the model says in words


def encode(
    volume: Volume,
    sources: Sequence[Dataset],
    labels: Labels,
    values: NDArray[np.float32],
    origin: Origin,
    evaluations: Sequence[Evaluation] = (),
) -> Results:
    """The SEG and the SR of a label tensor.

    `sources` are the headers of the source instances in any order; pixel data is not looked at. `labels` is uint8
    (slices, rows, columns) in volume order, encoded as the card says; `values` are the modality values, float32 of
    the same shape; `evaluations` is what the model says in words, of the images or of segments of the card. Raises
    NotProcessable where no legal result can refer to these sources, ModelFailed where the labels are not what the card
    promises, ValueError for an evaluation of a segment that the card does not have.
    """
    labels = check_labels(volume, labels, origin.card)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of every illegal value in the sources; hygiene judges them
        source = source_of(volume, sources)
        moment = moment_of(source.headers)
        measurements = measure(volume, labels, values, origin.card, slice_thickness(volume, source))
        seg = build_seg(volume, source, labels, origin, moment)
        findings = [Measured(*one, None) for one in zip(origin.card.segments, measurements, strict=True)]
        sr = build_sr(source, seg, findings, origin, moment, SrForm.SEGMENT, evaluations)
    return Results(seg, sr, measurements, source.inherited.notes, tuple(evaluations))


def structured_report(
    volume: Volume, sources: Sequence[Dataset], labels: Labels, results: Results, origin: Origin, form: SrForm
) -> Dataset:
    """The SR of results of `encode`, made of the same labels, in another form.

    Every form is a document of its own, in a series of its own.
    """
    references, findings = slice_references(volume), []
    for segment, measured in zip(origin.card.segments, results.measurements, strict=True):
        outline = largest_outline(mask_of(labels, segment.number, origin.card.encoding))
        drawn = None if outline is None else Drawn(outline, references[outline.plane])
        findings.append(Measured(segment, measured, drawn))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in `encode`
        source = source_of(volume, sources)
        moment = moment_of(source.headers)
        return build_sr(source, results.seg, findings, origin, moment, form, results.evaluations)


def as_labelmap(volume: Volume, sources: Sequence[Dataset], labels: Labels, origin: Origin) -> Dataset | None:
    """The labels as a Label Map Segmentation (PS3.3 A.51.1), for destinations that take it.

    None where segments overlap: a label map cannot hold them, BINARY does. Raises as `encode` does.
    """
    labels = check_labels(volume, labels, origin.card)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in `encode`
        source = source_of(volume, sources)
        return build_labelmap(volume, source, labels, origin, moment_of(source.headers))


def as_fractional(
    volume: Volume, sources: Sequence[Dataset], probabilities: NDArray[np.float32], origin: Origin
) -> Dataset:
    """Probabilities, float32 (segments, slices, rows, columns) from 0 to 1, as a FRACTIONAL Segmentation in 255 steps.

    Raises as `encode` does.
    """
    probabilities = check_probabilities(volume, probabilities, origin.card)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in `encode`
        source = source_of(volume, sources)
        return build_fractional(volume, source, probabilities, origin, moment_of(source.headers))


def overlay(
    volume: Volume, sources: Sequence[Dataset], labels: Labels, values: NDArray[np.float32], origin: Origin
) -> Dataset:
    """The labels over the images as a colour Secondary Capture, for viewers that show no SEG.

    Raises as `encode` does.
    """
    labels = check_labels(volume, labels, origin.card)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in `encode`
        source = source_of(volume, sources)
        return build_overlay(volume, source, labels, values, origin, moment_of(source.headers))
