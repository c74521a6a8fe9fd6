"""A card says what the node must know of a model, or where it does not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from node.core.card import Code, Encoding, Kind, Shared, Vector, parse_card
from node.errors import BadConfiguration

CARD = (Path(__file__).parents[2] / "triton_models" / "mri_core_head" / "card.yaml").read_bytes()


def changed(old: bytes, new: bytes) -> bytes:
    assert old in CARD
    return CARD.replace(old, new, 1)


def of_another_kind(output: bytes) -> bytes:
    return changed(SEGMENTS, output).replace(b"kind: segmentation\n", b"", 1)


def test_the_demonstration_card_is_read_whole() -> None:
    card = parse_card(CARD, "card.yaml")
    assert (card.name, card.version, card.encoding) == ("mri_core_head", "1", Encoding.BITS)
    assert [segment.label for segment in card.segments] == ["Head", "Brain"]
    assert card.segments[1].type == Code("12738006", "SCT", "Brain")
    assert card.algorithm_family.meaning == "Artificial Intelligence"
    assert card.input.modality == ("MR",)
    assert 1_000_000 < card.weights.parameters < 5_000_000
    assert card.sha256 == hashlib.sha256(CARD).hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 3000,
        b"{a: " * 3000,
        b"name: 2026-13-45\n",
        b"%YAML 9\n---\nname: x\n",
        b"name: 1_\n" + CARD,
        b"\xff\xfe",
        CARD + b"#" * (1 << 18),
        b"",
        b"- name\n",
    ],
)
def test_whatever_lies_there_instead_of_a_card_is_refused(content: bytes) -> None:
    with pytest.raises(BadConfiguration, match=r"card\.yaml"):
        parse_card(content, "card.yaml")


def test_the_demonstration_card_warns() -> None:
    card = parse_card(CARD, "card.yaml")
    assert "Not for clinical use" in " ".join(card.intended_use.split())


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (b"title:", b"titel:", "title"),
        (b"version: '1'", b"version: 1", "version"),
        (b"modality: [MR]", b"modality: MR", "input.modality"),
        (b"at_least: 8", b"at_least: eight", "input.slices.at_least"),
        (b"encoding: bits", b"encoding: floats", "output.encoding"),
        (b"number: 2", b"number: 3", "output.segments"),
        (b"color: [75.0, 10.0, 55.0]", b"color: [75.0, 10.0]", "output.segments[0].color"),
        (b"meaning: Head", b"means: Head", "output.segments[0].type.meaning"),
        (b"parameters:", b"params:", "weights.parameters"),
    ],
)
def test_a_wrong_key_is_named_by_its_path(old: bytes, new: bytes, where: str) -> None:
    with pytest.raises(BadConfiguration) as refusal:
        parse_card(changed(old, new), "card.yaml")
    assert refusal.value.where == f"card.yaml: {where}"


def test_what_is_not_yaml_is_named_by_its_line() -> None:
    with pytest.raises(BadConfiguration, match=r"card\.yaml:2: not readable as YAML"):
        parse_card(b"name: a\n\ttitle: b\n", "card.yaml")


def test_a_list_is_no_card() -> None:
    with pytest.raises(BadConfiguration, match="must be a mapping"):
        parse_card(b"- name\n- title\n", "card.yaml")


def test_unknown_keys_are_for_people() -> None:
    assert parse_card(CARD + b"remark: only for people\n", "card.yaml").name == "mri_core_head"


CLASSIFICATION = b"""kind: classification
output:
  questions:
    - name: body_part
      concept: {value: '123014', scheme: DCM, meaning: Target Region}
      at_least: 0.6
      answers:
        - {name: head, code: {value: '69536005', scheme: SCT, meaning: Head}}
        - {name: knee, code: {value: '72696002', scheme: SCT, meaning: Knee}}
"""
EMBEDDING = b"kind: embedding\noutput: {width: 768, features: [256, 16, 16]}\n"
SEGMENTS = CARD[CARD.index(b"\noutput:") + 1 : CARD.index(b"\nweights:") + 1]


def test_a_classification_asks_questions_with_coded_answers() -> None:
    card = parse_card(of_another_kind(CLASSIFICATION), "card.yaml")
    (question,) = card.questions
    assert (card.kind, card.segments, question.name, question.at_least) == (
        Kind.CLASSIFICATION,
        (),
        "body_part",
        0.6,
    )
    assert [answer.name for answer in question.answers] == ["head", "knee"]
    assert question.answers[1].code == Code("72696002", "SCT", "Knee")


def test_an_embedding_says_its_width_and_what_shared_heads_take() -> None:
    card = parse_card(of_another_kind(EMBEDDING), "card.yaml")
    assert (card.kind, card.vector) == (Kind.EMBEDDING, Vector(768, (256, 16, 16)))


def test_a_shared_head_names_its_encoder() -> None:
    card = parse_card(CARD + b"shared: {encoder: mri_core_encoder, weights_sha256: abc}\n", "card.yaml")
    assert card.shared == Shared("mri_core_encoder", "abc")


@pytest.mark.parametrize(
    ("output", "old", "new", "where"),
    [
        (CLASSIFICATION, b"kind: classification", b"kind: guess", "kind"),
        (CLASSIFICATION, b"name: body_part", b"name: Body Part", "output.questions[0].name"),
        (CLASSIFICATION, b"name: knee", b"name: head", "output.questions[0].answers"),
        (CLASSIFICATION, b"at_least: 0.6", b"at_least: 60", "output.questions[0].at_least"),
        (CLASSIFICATION, b"concept:", b"konzept:", "output.questions[0].concept"),
        (EMBEDDING, b"[256, 16, 16]", b"[256, 16]", "output.width"),
        (EMBEDDING, b"width: 768", b"width: 0", "output.width"),
        (EMBEDDING, b"[256, 16, 16]", b"[256, 16, x]", "output.features"),
    ],
)
def test_other_kinds_are_read_as_strictly(output: bytes, old: bytes, new: bytes, where: str) -> None:
    with pytest.raises(BadConfiguration) as refusal:
        parse_card(of_another_kind(output.replace(old, new, 1)), "card.yaml")
    assert refusal.value.where == f"card.yaml: {where}"
