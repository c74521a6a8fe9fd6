"""The parts of a card."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from node.core.card.recipe import Recipe


class Kind(StrEnum):
    """What a model answers."""

    SEGMENTATION = "segmentation"  # labels, voxel by voxel
    CLASSIFICATION = "classification"  # coded answers to questions about the whole series
    EMBEDDING = "embedding"  # a vector of each slice: what other models and references are made of


class Encoding(StrEnum):
    """How segments lie in the label tensor."""

    BITS = "bits"  # bit (number - 1) of each byte belongs to the segment: segments may overlap
    LABELMAP = "labelmap"  # the byte is the segment's number, 0 is background


@dataclass(frozen=True)
class Code:
    """A coded concept (PS3.3 section 8): value, scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Segment:
    """One label of the model."""

    number: int  # 1 .. N, without gaps
    label: str
    category: Code  # CID 7150
    type: Code
    color: tuple[float, float, float]  # CIELab: L 0..100, a and b -128..127


@dataclass(frozen=True)
class Answer:
    """One of the answers to a question."""

    name: str  # what rules compare `result.<model>.<question>` with
    code: Code


@dataclass(frozen=True)
class Question:
    """What a classification says of a series: one of several answers, or none where it is not sure enough."""

    name: str  # body_part, sequence_type, quality ...
    concept: Code
    answers: tuple[Answer, ...]  # in the order of the network's channels
    at_least: float  # the probability from which the likeliest answer is given


@dataclass(frozen=True)
class Vector:
    """What an embedding model answers for each slice."""

    width: int  # numbers of the pooled vector
    features: tuple[int, int, int] | None  # channels, rows, columns of the map that shared heads take; None: no map


@dataclass(frozen=True)
class Shared:
    """The encoder that a head was cut from, and that serves other heads too."""

    encoder: str  # name of the embedding model
    weights_sha256: str  # of that model's weights


@dataclass(frozen=True)
class Input:
    """What a series must be for this model."""

    modality: tuple[str, ...]
    orientation: tuple[str, ...]  # of axial, sagittal, coronal; empty: any
    slices_at_least: int
    slices_at_most: int
    body_parts: tuple[str, ...]  # documentation for people and for the rule checks
    intensity: str


class Brought(StrEnum):
    """How an input comes to the planes of the reference."""

    OWN_GRID = "own-grid"  # as it is: its slices lie in the reference's planes, its matrix may be another
    RESAMPLED = "resampled"  # onto the reference's grid, by where both lie in the patient


@dataclass(frozen=True)
class NamedInput:
    """One of several inputs of a model: a rule binds a series to its name."""

    name: str
    contract: Input
    reference: bool = False  # the result lies on this one's grid
    brought: Brought = Brought.RESAMPLED
    outside: float = 0.0  # what stands where the series has no voxel, in the numbers that the model takes
    covers_at_least: float = 0.5  # of the reference's voxels; a series that covers fewer is refused


@dataclass(frozen=True)
class Weights:
    """Where the weights come from."""

    file: str  # relative to the model's folder
    sha256: str
    origin: str
    licence: str
    parameters: int


@dataclass(frozen=True)
class Card:
    """A model card, read from card.yaml."""

    name: str
    version: str
    title: str
    intended_use: str
    limits: str
    input: Input
    encoding: Encoding  # of a segmentation's labels
    segments: tuple[Segment, ...]  # of a segmentation
    weights: Weights
    algorithm_family: Code
    canary_sha256: str  # of the label bytes that the canary input must give
    sha256: str  # of the card's own bytes
    network: Recipe | None = None  # of a model made by `models export`
    kind: Kind = Kind.SEGMENTATION
    questions: tuple[Question, ...] = ()  # of a classification
    vector: Vector | None = None  # of an embedding
    shared: Shared | None = None  # of a head that takes another model's features instead of the network's own
    inputs: tuple[NamedInput, ...] = ()  # of a model that takes several series; `input` is then the reference's
    quality: tuple[tuple[tuple[str, str], ...], ...] = ()  # rows of (what, value) as text: on which data, how good

    @property
    def reference(self) -> NamedInput | None:
        """The input on whose grid the result lies; None for a model of one series."""
        return next((one for one in self.inputs if one.reference), None)
