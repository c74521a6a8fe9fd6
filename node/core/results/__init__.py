"""Results: a label tensor becomes DICOM objects that name their sources, model and rule.

    encode  ─▶ hygiene   which Patient and Study attributes are legal to inherit
            ─▶ planes    the slices as highdicom wants them, and the references back to the true sources
            ─▶ forms     which objects are wanted: seg, sr, overlay ...      ─▶ files.to_bytes ─▶ verify
                         measured on the same voxels that the Segmentation holds

Nothing here reads a clock or draws a random number: the same inputs give the same bytes in every process. highdicom
is imported in this room only, and with the first result: it takes a while.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from node.core.forms import DEFAULT, IN_PLACE, SR_FORMS, Form, SegChoice, SrChoice, forms_of, ordered
from node.core.results.bits import segments_of
from node.core.results.evaluation import Evaluation
from node.core.results.files import to_bytes
from node.core.results.labels import Labels, check_labels, check_probabilities
from node.core.results.measurements import SegmentMeasurement, measure
from node.core.results.moment import moment_of
from node.core.results.origin import Origin, Predecessor
from node.core.results.planes import slice_thickness, source_of
from node.core.results.uids import inputs_sha256
from node.core.results.verify import verify, verify_files
from node.core.volume import Volume

__all__ = [
    "DEFAULT",
    "IN_PLACE",
    "SR_FORMS",
    "Evaluation",
    "Form",
    "Origin",
    "Predecessor",
    "Results",
    "SegChoice",
    "SegmentMeasurement",
    "SrChoice",
    "encode",
    "forms_of",
    "inputs_sha256",
    "ordered",
    "to_bytes",
    "verify",
    "verify_files",
]


@dataclass(frozen=True)
class Results:
    """What one model found on one volume."""

    objects: Mapping[Form, Dataset]  # in the order in which they are sent
    measurements: tuple[SegmentMeasurement, ...]  # one per segment of the card
    notes: tuple[str, ...]  # source attributes that were not legal and not copied; free of patient data

    @property
    def seg(self) -> Dataset:
        """The BINARY Segmentation. Raises KeyError where it was not asked for."""
        return self.objects[Form.BINARY]

    @property
    def sr(self) -> Dataset:
        """The SR, the planar one where there are both. Raises KeyError where none was asked for."""
        return self.objects[Form.PLANAR if Form.PLANAR in self.objects else Form.SEGMENT]


def encode(
    volume: Volume,
    sources: Sequence[Dataset],
    labels: Labels,
    values: NDArray[np.float32],
    origin: Origin,
    *,
    forms: Collection[Form] = DEFAULT,
    evaluations: Sequence[Evaluation] = (),
    probabilities: NDArray[np.float32] | None = None,
    others: Sequence[Sequence[Dataset]] = (),
) -> Results:
    """The objects of a label tensor.

    `sources` are the headers of the source instances in any order; pixel data is not looked at. `labels` is uint8
    (slices, rows, columns) in volume order, encoded as the card says; `values` are the modality values, float32 of
    the same shape. `evaluations` is what the model says in words, of the images or of segments of the card;
    `probabilities`, float32 (segments, slices, rows, columns) from 0 to 1, is what the FRACTIONAL form holds where the
    model gives them. A LABELMAP cannot hold segments that overlap: it is left out then.

    Raises NotProcessable where no legal result can refer to these sources, ModelFailed where labels or probabilities
    are not what the card promises, ValueError for an evaluation of a segment that the card does not have.
    """
    from node.core.results.making import Findings, make  # only here: most processes make no results

    labels = check_labels(volume, labels, origin.card)
    if probabilities is not None:
        probabilities = check_probabilities(volume, probabilities, origin.card)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of every illegal value in the sources; hygiene judges them
        source = source_of(volume, sources, others)
        segments = segments_of(labels, origin.card)
        measurements = measure(volume, segments, values, origin.card, slice_thickness(volume, source))
        findings = Findings(
            volume=volume,
            source=source,
            labels=labels,
            segments=segments,
            values=values,
            origin=origin,
            moment=moment_of(source.headers),
            measurements=measurements,
            evaluations=tuple(evaluations),
            probabilities=probabilities,
        )
        made = {form: make(findings, form) for form in ordered(forms)}
    objects = {form: ds for form, ds in made.items() if ds is not None}
    return Results(objects, measurements, source.inherited.notes)
