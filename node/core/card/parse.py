"""From card.yaml to a card."""

from __future__ import annotations

import hashlib
import re

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from node.core.card.card import (
    Answer,
    Card,
    Code,
    Encoding,
    Kind,
    Question,
    Segment,
    Shared,
    Vector,
    Weights,
)
from node.core.card.inputs import read_input, read_inputs
from node.core.card.quality import read_quality
from node.core.card.reader import Reader
from node.core.card.recipe import Contrast, FeaturePath, NeckSource, Normalize, Numbers, Pooling, PosEmbedSource, Recipe
from node.errors import BadConfiguration

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")  # what a rule can write behind a dot
_MOST_ANSWERS = 255
_MOST_BYTES = 1 << 18  # YAML is read slowly: seconds


def parse_card(content: bytes, where: str) -> Card:
    """Read a card. Raises BadConfiguration naming `where` and the key that is missing or of a wrong type."""
    if len(content) > _MOST_BYTES:
        raise BadConfiguration(where, f"is longer than {_MOST_BYTES} bytes", "A card holds words and figures, no data")
    try:
        raw = YAML(typ="safe", pure=True).load(content)
    except (YAMLError, ValueError, NotImplementedError, RecursionError) as broken:  # a date that is none, deep nesting
        line = getattr(getattr(broken, "problem_mark", None), "line", None)
        at = f"{where}:{line + 1}" if line is not None else where
        raise BadConfiguration(at, "not readable as YAML") from broken
    read = Reader(where, "", raw)
    output, weights = read.section("output"), read.section("weights")
    kind = Kind(read.choice("kind", Kind)) if read.has("kind") else Kind.SEGMENTATION
    inputs = read_inputs(read) if read.has("inputs") else ()
    encoding, segments = _labels(output) if kind is Kind.SEGMENTATION else (Encoding.BITS, ())
    return Card(
        name=read.text("name"),
        version=read.text("version"),
        title=read.text("title"),
        intended_use=read.text("intended_use"),
        limits=read.text("limits"),
        input=next((one.contract for one in inputs if one.reference), None) or read_input(read.section("input")),
        encoding=encoding,
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
        kind=kind,
        questions=_questions(output) if kind is Kind.CLASSIFICATION else (),
        vector=_vector(output) if kind is Kind.EMBEDDING else None,
        shared=_shared(read.section("shared")) if read.has("shared") else None,
        inputs=inputs,
        quality=read_quality(raw.get("quality")),
    )


def _labels(output: Reader) -> tuple[Encoding, tuple[Segment, ...]]:
    segments = tuple(_segment(item) for item in output.sections("segments"))
    if [segment.number for segment in segments] != list(range(1, len(segments) + 1)):
        raise BadConfiguration(output.at("segments"), "numbers must run from 1 without gaps")
    encoding = Encoding(output.choice("encoding", Encoding))
    if encoding is Encoding.BITS and len(segments) > 8:
        raise BadConfiguration(output.at("encoding"), "bits holds 8 segments at most", "Use labelmap")
    return encoding, segments


def _segment(read: Reader) -> Segment:
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


def _questions(output: Reader) -> tuple[Question, ...]:
    questions = tuple(_question(item) for item in output.sections("questions"))
    names = [question.name for question in questions]
    if not names or len(set(names)) < len(names):
        raise BadConfiguration(output.at("questions"), "must ask at least one question, and none twice")
    if sum(len(question.answers) for question in questions) > _MOST_ANSWERS:
        raise BadConfiguration(output.at("questions"), f"have more than {_MOST_ANSWERS} answers together")
    return questions


def _question(read: Reader) -> Question:
    answers = tuple(Answer(_name(item), _code(item.section("code"))) for item in read.sections("answers"))
    if len(answers) < 2 or len({answer.name for answer in answers}) < len(answers):
        raise BadConfiguration(read.at("answers"), "must be at least two, and none twice")
    at_least = read.number("at_least") if read.has("at_least") else 0.5
    if not 0 <= at_least <= 1:
        raise BadConfiguration(read.at("at_least"), f"{at_least:g} is no probability")
    return Question(_name(read), _code(read.section("concept")), answers, at_least)


def _name(read: Reader) -> str:
    name = read.text("name")
    if not _NAME.fullmatch(name):
        what = f"{name!r} must be lower-case letters, digits and underscores: rules write it"
        raise BadConfiguration(read.at("name"), what)
    return name


def _vector(output: Reader) -> Vector:
    width = output.integer("width")
    shape = output.integers("features") if output.has("features") else ()
    if not 0 < width <= 65536 or (shape and (len(shape) != 3 or min(shape) < 1)):
        raise BadConfiguration(output.at("width"), "needs a width, and features of channels, rows and columns if any")
    return Vector(width, (shape[0], shape[1], shape[2]) if shape else None)


def _shared(read: Reader) -> Shared:
    return Shared(read.text("encoder"), read.text("weights_sha256"))


def _code(read: Reader) -> Code:
    return Code(read.text("value"), read.text("scheme"), read.text("meaning"))


def _network(read: Reader) -> Recipe:
    size = read.integer("image_size")
    if size < 16 or size % 16:
        raise BadConfiguration(read.at("image_size"), f"{size} is no multiple of 16")
    path = FeaturePath(read.choice("path", FeaturePath)) if read.has("path") else FeaturePath.SAM
    pooling = Pooling(read.choice("pooling", Pooling)) if read.has("pooling") else Pooling.MEAN
    if path is FeaturePath.SAM and pooling is not Pooling.MEAN:
        raise BadConfiguration(read.at("pooling"), f"{pooling} needs a class token, which path: sam has not")
    return Recipe(
        image_size=size,
        normalize=Normalize(read.choice("normalize", Normalize)),
        contrast=Contrast(read.choice("contrast", Contrast)),
        pos_embed_source=PosEmbedSource(read.choice("pos_embed_source", PosEmbedSource)),
        neck_source=NeckSource(read.choice("neck_source", NeckSource)),
        checkpoint_sha256=read.text("checkpoint_sha256") if read.has("checkpoint_sha256") else "",
        path=path,
        pooling=pooling,
        numbers=Numbers(read.choice("numbers", Numbers)) if read.has("numbers") else Numbers.WHOLE,
    )
