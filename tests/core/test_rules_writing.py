"""What helps a person write rules: what may come next, another order, and what two people did to one rule set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.rules.completing import Wanted, place_of
from node.core.rules.order import new_name, renamed
from node.core.rules.three_way import Change, merged, three_way
from node.core.rules.words import means, words


@pytest.mark.parametrize(
    ("before", "wanted", "typed", "about"),
    [
        ("na", Wanted.KEY, "na", ""),
        ("when:\n  Mod", Wanted.ATTRIBUTE, "Mod", ""),
        ("when:\n  Modality: M", Wanted.VALUE, "M", "Modality"),
        ("when:\n  Modality: {in: [MR, C", Wanted.VALUE, "C", "Modality"),
        ("when:\n  Modality: {i", Wanted.OPERATOR, "i", "Modality"),
        ("when:\n  any:\n    - Series", Wanted.ATTRIBUTE, "Series", ""),
        ("when:\n  any:\n    - SeriesDescription: {contains: t", Wanted.VALUE, "t", "SeriesDescription"),
        ("when:\n  BodyPartExamined:\n    in:\n      - HE", Wanted.VALUE, "HE", "BodyPartExamined"),
        ("when:\n  BodyPartExamined:\n    i", Wanted.OPERATOR, "i", "BodyPartExamined"),
        ("when: {Modality: MR, Echo", Wanted.ATTRIBUTE, "Echo", ""),
        ("when: {Modality: 'M: {R', EchoTime: {", Wanted.OPERATOR, "", "EchoTime"),
        ("when:\n  not: {ImageType: {contains: D", Wanted.VALUE, "D", "ImageType"),
        ("when:\n  all:\n    - EchoTime: 1\n      Rep", Wanted.ATTRIBUTE, "Rep", ""),
        ("needs:\n  t1: {Ser", Wanted.ATTRIBUTE, "Ser", ""),
        ("then:\n  - in", Wanted.ACTION, "in", ""),
        ("then: [{infer: m", Wanted.MODEL, "m", "infer"),
        ("then:\n  - deliver: [a, pa", Wanted.DESTINATION, "pa", "deliver"),
        ("priority: st", Wanted.WORD, "st", "priority"),
        ("when:\n  Modality: MR # Mod", Wanted.NOTHING, "", ""),
    ],
)
def test_what_comes_next_is_known_from_the_lines_above(before: str, wanted: Wanted, typed: str, about: str) -> None:
    place = place_of(before + "\nmore: {", len(before))
    assert (place.wanted, place.typed, place.about) == (wanted, typed, about)
    assert before[place.begins :] == typed


@given(st.text(st.sampled_from("aM:{}[],-# \n'\"0"), max_size=60), st.integers(0, 70))
def test_no_text_is_too_broken_to_be_completed(text: str, at: int) -> None:
    assert place_of(text, min(at, len(text))).wanted in Wanted


def test_attributes_are_found_by_any_part_of_their_names_and_those_of_the_site_come_first() -> None:
    found = [one.name for one in words("description", first=["SeriesDescription"], limit=500)]
    assert found[0] == "SeriesDescription"
    assert {"StudyDescription", "study.descriptions"} <= set(found)
    assert [one.name for one in means("EchoTime")][:2] == ["equals", "in"]
    assert "at_least" not in {one.name for one in means("SeriesDescription")}
    assert means("NoSuchKeyword") == ()


NAMES = st.lists(st.from_regex(r"\A(\d{2,3}-)?[a-z]{1,4}\.yaml\Z"), min_size=1, max_size=7, unique=True)


@given(NAMES, st.randoms(use_true_random=False))
def test_rules_stand_in_the_order_that_was_asked_for(names: list[str], chance: object) -> None:
    files = {name: f"text of {name}" for name in names} | {"_set.yaml": "set"}
    order = list(names)
    chance.shuffle(order)  # type: ignore[attr-defined]
    found = renamed(files, order)
    assert found.pop("_set.yaml") == "set"
    assert [found[name] for name in sorted(found)] == [files[name] for name in order]


def test_a_rule_that_moves_leaves_the_names_of_the_others() -> None:
    files = {"10-a.yaml": "a", "20-b.yaml": "b", "30-c.yaml": "c"}
    assert sorted(renamed(files, ["10-a.yaml", "30-c.yaml", "20-b.yaml"])) == ["10-a.yaml", "15-c.yaml", "20-b.yaml"]
    with pytest.raises(ValueError, match="once"):
        renamed(files, ["10-a.yaml"])


@given(NAMES)
def test_a_new_rule_stands_behind_all_others(names: list[str]) -> None:
    files = dict.fromkeys(names, "")
    assert new_name(files, "new") > max(names)


def test_what_two_people_changed_is_told_file_by_file() -> None:
    base = {"a": "1", "b": "1", "c": "1", "d": "1", "e": "1"}
    theirs = {"a": "1", "b": "2", "c": "2", "d": "2", "f": "new"}
    mine = {"a": "2", "b": "1", "c": "2", "d": "3", "e": "1"}
    both = three_way(base, theirs, mine)
    assert {one.file: one.change for one in both} == {
        "a": Change.MINE, "b": Change.THEIRS, "c": Change.SAME, "d": Change.CONFLICT, "e": Change.THEIRS,
        "f": Change.THEIRS,
    }  # fmt: skip
    assert merged(theirs, both) == {"a": "2", "b": "2", "c": "2", "d": "3", "f": "new"}
    assert merged(theirs, both, frozenset({"d"}))["d"] == "2"
