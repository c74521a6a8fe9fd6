"""A card says what the node must know of a model, or where it does not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from node.core.card import Code, Encoding, parse_card
from node.errors import BadConfiguration

CARD = (Path(__file__).parents[2] / "triton_models" / "mri_core_head" / "card.yaml").read_bytes()


def changed(old: bytes, new: bytes) -> bytes:
    assert old in CARD
    return CARD.replace(old, new, 1)


def test_the_demonstration_card_is_read_whole() -> None:
    card = parse_card(CARD, "card.yaml")
    assert (card.name, card.version, card.encoding) == ("mri_core_head", "1", Encoding.BITS)
    assert [segment.label for segment in card.segments] == ["Head", "Brain"]
    assert card.segments[1].type == Code("12738006", "SCT", "Brain")
    assert card.algorithm_family.meaning == "Artificial Intelligence"
    assert card.input.modality == ("MR",)
    assert 1_000_000 < card.weights.parameters < 5_000_000
    assert card.sha256 == hashlib.sha256(CARD).hexdigest()


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
