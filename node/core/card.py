"""Model card: what the node must know of a model (triton_models/<model>/card.yaml).

The card is the contract between Triton, the rules and the results: which series the model was made for,
what goes in, what comes out, and by which coded terms its labels are called. `config.pbtxt` carries the
sha256 of the card's bytes, so that the two cannot drift apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from node.errors import BadConfiguration


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
class Input:
    """What a series must be for this model."""

    modality: tuple[str, ...]
    orientation: tuple[str, ...]  # of axial, sagittal, coronal; empty: any
    slices_at_least: int
    slices_at_most: int
    body_parts: tuple[str, ...]  # documentation for people and for the rule checks
    intensity: str


@dataclass(frozen=True)
class Weights:
    """Where the weights come from."""

    file: str  # relative to the model's folder
    sha256: str
    origin: str
    licence: str
    parameters: int


class Normalize(StrEnum):
    """What the network's image is, once each slice spans 0..1. Not in a checkpoint: whoever trained it knows."""

    IMAGENET = "imagenet"  # minus (.485, .456, .406), over (.229, .224, .225): the authors' training script
    UNIT = "unit"  # 0..1 as it is: the authors' README
    MINMAX = "minmax"  # stretched to 0..1 once more, as the authors do for MedSAM; here the same as unit


class Contrast(StrEnum):
    """What becomes 0 and 1 of each slice."""

    MINMAX = "minmax"  # its least and greatest value once resized: the authors' data set
    PERCENTILES = "percentiles"  # the 0.5th and the 99th percentile; what lies outside is clipped


class PosEmbedSource(StrEnum):
    """Where the position embedding comes from; the official loader drops the checkpoint's."""

    CHECKPOINT = "checkpoint"  # of the file itself, resized where the grid differs
    SAM = "sam"  # of Meta's ViT-B: what the official builder does with pretrained_sam=True
    ZEROS = "zeros"  # none: what the official builder does with pretrained_sam=False


class NeckSource(StrEnum):
    """Where the neck behind the encoder comes from; a DINOv2 teacher has none."""

    STATE_DICT = "state_dict"  # of the file itself
    SAM = "sam"  # of Meta's ViT-B
    NONE = "none"  # no neck: features are the tokens before it


@dataclass(frozen=True)
class Recipe:
    """What `models export` must be told of a checkpoint: stated, never guessed."""

    image_size: int  # pixels of a side, as it was trained
    normalize: Normalize
    contrast: Contrast
    pos_embed_source: PosEmbedSource
    neck_source: NeckSource
    checkpoint_sha256: str  # of the file that was exported; empty before


@dataclass(frozen=True)
class Card:
    """A model card, read from card.yaml."""

    name: str
    version: str
    title: str
    intended_use: str
    limits: str
    input: Input
    encoding: Encoding
    segments: tuple[Segment, ...]
    weights: Weights
    algorithm_family: Code
    canary_sha256: str  # of the label bytes that the canary input must give
    sha256: str  # of the card's own bytes
    network: Recipe | None = None  # of a model made by `models export`


_YAML = YAML(typ="safe", pure=True)


def parse_card(content: bytes, where: str) -> Card:
    """Read a card. Raises BadConfiguration naming `where` and the key that is missing or of a wrong type."""
    try:
        raw = _YAML.load(content)
    except YAMLError as broken:
        line = getattr(getattr(broken, "problem_mark", None), "line", None)
        at = f"{where}:{line + 1}" if line is not None else where
        raise BadConfiguration(at, "not readable as YAML") from broken
    read = _Reader(where, "", raw)
    sent, output, weights = read.section("input"), read.section("output"), read.section("weights")
    segments = tuple(_segment(item) for item in output.sections("segments"))
    if [segment.number for segment in segments] != list(range(1, len(segments) + 1)):
        raise BadConfiguration(f"{where}: output.segments", "numbers must run from 1 without gaps")
    encoding = output.text("encoding")
    if encoding not in tuple(Encoding):
        raise BadConfiguration(f"{where}: output.encoding", f"{encoding!r} is not one of {', '.join(Encoding)}")
    if encoding == Encoding.BITS and len(segments) > 8:
        raise BadConfiguration(f"{where}: output.encoding", "bits holds 8 segments at most", "Use labelmap")
    slices = sent.section("slices")
    return Card(
        name=read.text("name"),
        version=read.text("version"),
        title=read.text("title"),
        intended_use=read.text("intended_use"),
        limits=read.text("limits"),
        input=Input(
            modality=sent.texts("modality"),
            orientation=sent.texts("orientation"),
            slices_at_least=slices.integer("at_least"),
            slices_at_most=slices.integer("at_most"),
            body_parts=sent.texts("body_parts"),
            intensity=sent.text("intensity"),
        ),
        encoding=Encoding(encoding),
        segments=segments,
        weights=Weights(
            file=weights.text("file"),
            sha256=weights.text("sha256"),
            origin=weights.text("origin"),
            licence=weights.text("licence"),
            parameters=weights.integer("parameters"),
        ),
        algorithm_family=_code(read.section("algorithm_family")),
        canary_sha256=read.section("canary").text("sha256"),
        sha256=hashlib.sha256(content).hexdigest(),
        network=_network(read.section("network")) if read.has("network") else None,
    )


def _code(read: _Reader) -> Code:
    return Code(read.text("value"), read.text("scheme"), read.text("meaning"))


def _network(read: _Reader) -> Recipe:
    size = read.integer("image_size")
    if size < 16 or size % 16:
        raise BadConfiguration(read.at("image_size"), f"{size} is no multiple of 16")
    return Recipe(
        image_size=size,
        normalize=Normalize(read.choice("normalize", Normalize)),
        contrast=Contrast(read.choice("contrast", Contrast)),
        pos_embed_source=PosEmbedSource(read.choice("pos_embed_source", PosEmbedSource)),
        neck_source=NeckSource(read.choice("neck_source", NeckSource)),
        checkpoint_sha256=read.text("checkpoint_sha256") if read.has("checkpoint_sha256") else "",
    )


def _segment(read: _Reader) -> Segment:
    color = read.numbers("color")
    if len(color) != 3:
        raise BadConfiguration(read.at("color"), "needs three CIELab numbers")
    return Segment(
        number=read.integer("number"),
        label=read.text("label"),
        category=_code(read.section("category")),
        type=_code(read.section("type")),
        color=(color[0], color[1], color[2]),
    )


class _Reader:
    """A YAML mapping whose values are asked for by type; a wrong one is named by its path."""

    def __init__(self, where: str, path: str, raw: object) -> None:
        self._where, self._path = where, path
        if not isinstance(raw, Mapping):
            raise BadConfiguration(where, f"{path or 'the card'} must be a mapping of keys to values")
        self._raw = cast("Mapping[str, object]", raw)

    def at(self, key: str) -> str:
        return f"{self._where}: {self._path}.{key}" if self._path else f"{self._where}: {key}"

    def _value(self, key: str, kind: type | tuple[type, ...], called: str) -> object:
        if key not in self._raw:
            raise BadConfiguration(self.at(key), "is missing")
        value = self._raw[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise BadConfiguration(self.at(key), f"must be {called}")
        return value

    def text(self, key: str) -> str:
        return cast("str", self._value(key, str, "text (put it in quotes)")).strip()

    def has(self, key: str) -> bool:
        return key in self._raw

    def choice(self, key: str, among: type[StrEnum]) -> str:
        said = self.text(key)
        if said not in tuple(among):
            raise BadConfiguration(self.at(key), f"{said!r} is not one of {', '.join(among)}")
        return said

    def integer(self, key: str) -> int:
        return cast("int", self._value(key, int, "a whole number"))

    def texts(self, key: str) -> tuple[str, ...]:
        values = cast("Sequence[object]", self._value(key, list, "a list"))
        if not all(isinstance(value, str) for value in values):
            raise BadConfiguration(self.at(key), "must be a list of texts")
        return tuple(cast("Sequence[str]", values))

    def numbers(self, key: str) -> tuple[float, ...]:
        values = cast("Sequence[object]", self._value(key, list, "a list"))
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            raise BadConfiguration(self.at(key), "must be a list of numbers")
        return tuple(float(cast("float", value)) for value in values)

    def section(self, key: str) -> _Reader:
        path = f"{self._path}.{key}" if self._path else key
        return _Reader(self._where, path, self._value(key, dict, "a mapping"))

    def sections(self, key: str) -> list[_Reader]:
        values = cast("Sequence[object]", self._value(key, list, "a list"))
        path = f"{self._path}.{key}" if self._path else key
        return [_Reader(self._where, f"{path}[{number}]", value) for number, value in enumerate(values)]
