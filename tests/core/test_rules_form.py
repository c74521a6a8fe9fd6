"""A rule as a form and as text, on one model: what the form did not change stays as it was written, to the byte."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.rules import check_rule_set
from node.core.rules.form import Action, Clause, Form, Group, Node, NotAFormError, read_form, write_form
from node.core.rules.form.model import plain

SHIPPED = sorted(Path("dicom_rules").glob("[0-9]*.yaml"))
RULE = """\
# why there is this rule
name: brain   # short
description: "T1: of the head"
when:
  Modality: MR            # not CT
  # consoles write three words
  BodyPartExamined:
    in:
      - HEAD     # most
      - 'BRAIN'
  EchoTime: {at_least: 10, below: 30 ms}
  any:
    - SeriesDescription: {contains: t1}   # the usual one
    - all:
        - ProtocolName: mprage
        - not: {ImageType: {any: {starts: PERF}}}
# unknown is no match
on_unknown: no-match
then:
  - infer: {model: mri_core_head, unsuitable: not-processable}   # only one
  - deliver: [pacs]
stop: true # the end
"""


def comments(text: str) -> list[str]:
    return re.findall(r"#[^\n\r]*", text)


def form_of(text: str) -> Form:
    return read_form(text)


def with_when(form: Form, *parts: Node) -> Form:
    return replace(form, when=replace(form.when, parts=parts))


@pytest.mark.parametrize("text", [RULE, *(path.read_text("utf-8") for path in SHIPPED)])
def test_a_form_that_changes_nothing_leaves_every_byte(text: str) -> None:
    assert write_form(text, form_of(text)) == text
    assert write_form(text.replace("\n", "\r\n"), form_of(text.replace("\n", "\r\n"))) == text.replace("\n", "\r\n")


def test_the_form_shows_clauses_groups_and_actions() -> None:
    form = form_of(RULE)
    assert (form.name, form.description, form.stop, form.active) == ("brain", "T1: of the head", True, None)
    assert form.when.parts[:4] == (
        Clause("Modality", "equals", ("MR",)),
        Clause("BodyPartExamined", "in", ("HEAD", "BRAIN")),
        Clause("EchoTime", "at_least", ("10",)),
        Clause("EchoTime", "below", ("30 ms",)),
    )
    any_of = form.when.parts[4]
    assert isinstance(any_of, Group)
    assert any_of.parts[0] == Clause("SeriesDescription", "contains", ("t1",))
    assert any_of.parts[1] == Group(
        "all",
        (
            Clause("ProtocolName", "equals", ("mprage",)),
            Group("not", (Clause("ImageType", "starts", ("PERF",), "any"),)),
        ),
    )
    assert form.then == (Action("infer", ("mri_core_head",), unsuitable=True), Action("deliver", ("pacs",)))


def test_a_changed_value_changes_one_line() -> None:
    form = form_of(RULE)
    first, body, *rest = form.when.parts
    assert isinstance(body, Clause)
    changed = write_form(RULE, with_when(form, first, replace(body, values=("HEAD", "SKULL")), *rest))
    assert changed == RULE.replace("      - 'BRAIN'\n", "      - SKULL\n")


def test_what_is_added_stands_at_the_end_and_what_is_taken_out_takes_no_comment_line_with_it() -> None:
    form = form_of(RULE)
    more = with_when(form, *form.when.parts[1:], Clause("SliceThickness", "at_most", ("3 mm",)))
    changed = write_form(RULE, replace(more, active=False, deadline="2 h", on_unknown="hold"))
    assert "  SliceThickness: {at_most: 3 mm}\n# unknown is no match\non_unknown: hold\n" in changed
    assert "deadline: 2 h\nwhen:\n  # consoles write three words\n" in changed
    assert changed.endswith("stop: true # the end\nactive: false\n")


def test_the_same_attribute_twice_goes_into_all() -> None:
    text = "name: a\nwhen: {Modality: MR}\nthen: [hold]\n"
    form = form_of(text)
    changed = write_form(text, with_when(form, *form.when.parts, Clause("Modality", "exists", ("true",))))
    assert changed == "name: a\nwhen: {Modality: MR, all: [{Modality: {exists: true}}]}\nthen: [hold]\n"


def test_into_an_empty_rule_conditions_are_written_as_a_block() -> None:
    text = "name: a\nwhen: {}   # every series\nthen: [hold]\n"
    parts = (
        Clause("Modality", "equals", ("MR",)),
        Group("any", (Clause("EchoTime", "below", ("30",)), Clause("SeriesDescription", "contains", ("a: b",)))),
    )
    assert write_form(text, with_when(form_of(text), *parts)) == (
        "name: a\nwhen:   # every series\n  Modality: MR\n  any:\n    - EchoTime: {below: 30}\n"
        "    - SeriesDescription: {contains: 'a: b'}\nthen: [hold]\n"
    )


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("name: a\nneeds: {t1: MR}\nwithin: 4 h\nthen: [{infer: m}]\n", 2, "t1 takes conditions"),
        ("name: a\nneeds: [t1]\nwithin: 4 h\nthen: [{infer: m}]\n", 2, "needs names series"),
        ("name: a\nwhen: {Modality: {code: {scheme: SCT, value: 1}}}\nthen: [hold]\n", 2, "plain values"),
        ("name: a\nwhen: {EchoTime: {not: {above: 1, below: 2}}}\nthen: [hold]\n", 2, "several operators"),
        ("name: a\nwhen: {EchoTme: 1}\nthen: [hold]\n", 2, "EchoTme is no DICOM keyword"),
        ("name: a\nwhen: {EchoTime: 1\n", 3, "not readable as YAML"),
        ("name: a\nvow: b\n", 2, "the form has no vow"),
    ],
)
def test_a_rule_the_form_cannot_show_says_so_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(NotAFormError, match=re.escape(why)) as refused:
        form_of(text)
    assert refused.value.line == line


VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text
) | st.sampled_from(["a: b", "- x", "#no", "null", "0012", "{a}", "[a", "it's", '"', "true", "*x", "ä, b"])
ATTRIBUTES = st.sampled_from(["Modality", "SeriesDescription", "EchoTime", "BodyPartExamined", "series.slices"])
CLAUSES = st.builds(
    Clause, ATTRIBUTES, st.sampled_from(["equals", "contains", "starts"]), st.tuples(VALUES),
    st.sampled_from(["", "any", "all"]), st.booleans(),
)  # fmt: skip
LISTS = st.builds(Clause, ATTRIBUTES, st.just("in"), st.lists(VALUES, min_size=2, max_size=3, unique=True).map(tuple))
NODES: st.SearchStrategy[Node] = st.recursive(
    CLAUSES | LISTS,
    lambda inner: st.builds(
        Group, st.sampled_from(["any", "all", "not"]), st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=6,
)
TEXTS = st.sampled_from(
    [RULE, RULE.replace("\n", "\r\n"), "name: a\nwhen: {Modality: MR, EchoTime: {above: 1}}\nthen: [hold]\n"]
)


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.data())
def test_what_the_form_says_is_what_the_text_says_and_comment_lines_stay(text: str, data: st.DataObject) -> None:
    form = form_of(text)
    kept = tuple(part for part in form.when.parts if data.draw(st.booleans()))
    more = tuple(data.draw(st.lists(NODES, max_size=3)))
    wanted = replace(with_when(form, *kept, *more), description=data.draw(st.just("") | VALUES))
    try:
        written = write_form(text, wanted)
    except NotAFormError:
        return  # said, and nothing was written
    assert plain(form_of(written).when) == plain(wanted.when)
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
    assert [line for line in lines if line not in written] == []


def test_most_changes_can_be_written() -> None:
    """The property above holds for a writer that refuses everything too."""
    form = form_of(RULE)
    for number, part in enumerate(form.when.parts):
        others = tuple(one for place, one in enumerate(form.when.parts) if place != number)
        assert plain(form_of(write_form(RULE, with_when(form, *others))).when) == plain(Group("all", others))
        if isinstance(part, Clause):
            other = replace(part, values=("7",), attribute="SliceThickness", operator="at_most")
            parts = (*form.when.parts[:number], other, *form.when.parts[number + 1 :])
            if part.attribute != "EchoTime":  # one of two operators: its attribute is the other's too
                written = write_form(RULE, with_when(form, *parts))
                assert other in form_of(written).when.parts
    assert not [one for one in check_rule_set({"10.yaml": RULE}) if one.severity == "error"]
