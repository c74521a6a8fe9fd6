"""A rule of several series of a study, as a form and as text: what the form did not change stays to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.rules import check_rule_set
from node.core.rules.form import Clause, Form, Group, Need, NotAFormError, read_form, write_form
from node.core.rules.form.model import plain
from node.core.rules.mistakes import Severity
from tests.two_contrasts import RULE as IN_ONE_LINE

RULE = """\
name: tumour   # short
when:
  Modality: MR            # not CT
needs:
  # the anatomy
  t1: {SeriesDescription: {contains: t1}, series.is_3d: true}   # carries the job
  # the lesion
  flair:
    SeriesDescription: {contains: flair}   # as the consoles say
    # thin ones are no use
    any:
      - SliceThickness: {at_least: 1 mm}
      - series.is_3d: true
within: 4 h                  # from the first
else: hold
then:
  - infer: mri_core_head   # only one
"""
LOCALIZER = """name: plain
when: {Modality: MR}
then: [hold]
"""
POST = Clause("ContrastBolusAgent", "exists", ("true",))


def with_need(form: Form, number: int, **changed: Any) -> Form:
    needs = list(form.needs)
    needs[number] = replace(needs[number], **changed)
    return replace(form, needs=tuple(needs))


def asked(form: Form) -> list[tuple[str, object]]:
    return [(need.name, plain(need.when)) for need in form.needs]


def without_line(text: str, part: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if part not in line)


@pytest.mark.parametrize("text", [RULE, IN_ONE_LINE, LOCALIZER])
def test_a_form_that_changes_nothing_leaves_every_byte(text: str) -> None:
    for written in (text, text.replace("\n", "\r\n")):
        assert write_form(written, read_form(written)) == written


def test_the_form_shows_each_need_with_its_conditions() -> None:
    form = read_form(RULE)
    assert (form.within, form.missing) == ("4 h", "hold")
    assert [need.name for need in form.needs] == ["t1", "flair"]
    assert form.needs[0].when.parts == (
        Clause("SeriesDescription", "contains", ("t1",)), Clause("series.is_3d", "equals", ("true",))
    )  # fmt: skip
    either = form.needs[1].when.parts[1]
    assert isinstance(either, Group)
    assert either.how == "any"


def test_a_changed_value_changes_one_line() -> None:
    form = read_form(RULE)
    other = Clause("SeriesDescription", "contains", ("FLAIR",), at=form.needs[1].when.parts[0].at)
    changed = with_need(form, 1, when=replace(form.needs[1].when, parts=(other, *form.needs[1].when.parts[1:])))
    assert write_form(RULE, changed) == RULE.replace("{contains: flair}   #", "{contains: FLAIR}   #")


def test_a_need_is_called_otherwise_and_waited_for_longer() -> None:
    changed = replace(with_need(read_form(RULE), 0, name="t1-post"), within="90 min", missing="")
    expected = without_line(RULE, "else: hold").replace("  t1: {", "  t1-post: {").replace("4 h  ", "90 min  ")
    assert write_form(RULE, changed) == expected


def test_conditions_are_added_to_a_need_and_taken_away() -> None:
    form = read_form(RULE)
    first, second = form.needs
    changed = with_need(form, 0, when=replace(first.when, parts=(*first.when.parts, POST)))
    changed = with_need(changed, 1, when=replace(second.when, parts=second.when.parts[:1]))
    written = write_form(RULE, changed)
    assert "series.is_3d: true, ContrastBolusAgent: {exists: true}}   # carries the job" in written
    assert "SliceThickness" not in written
    assert "    # thin ones are no use\n" in written


def test_a_need_without_its_last_condition_is_still_a_need() -> None:
    for number in (0, 1):
        form = read_form(RULE)
        changed = with_need(form, number, when=replace(form.needs[number].when, parts=()))
        assert read_form(write_form(RULE, changed)).needs[number].when.parts == ()


def test_a_new_need_stands_behind_the_others() -> None:
    form = read_form(RULE)
    post = Need("post", Group("all", (Clause("SeriesDescription", "contains", ("post",)), POST)))
    written = write_form(RULE, replace(form, needs=(*form.needs, post)))
    line = "  post: {SeriesDescription: {contains: post}, ContrastBolusAgent: {exists: true}}\n"
    assert written == RULE.replace("within:", f"{line}within:")
    either = Group("any", (POST, Clause("SeriesDescription", "contains", ("post",))))
    written = write_form(RULE, replace(form, needs=(*form.needs, Need("post", Group("all", (either,))))))
    assert "  post:\n    any:\n      - ContrastBolusAgent: {exists: true}\n" in written


def test_a_need_that_is_taken_out_leaves_the_others_as_they_were() -> None:
    form = read_form(RULE)
    written = write_form(RULE, replace(form, needs=form.needs[1:]))
    assert written == without_line(RULE, "  t1: {")


def test_needs_change_their_order_with_what_is_written_about_them() -> None:
    form = read_form(RULE)
    written = write_form(RULE, replace(form, needs=form.needs[::-1]))
    head, _, rest = RULE.partition("  # the anatomy\n")
    first, _, rest = rest.partition("  # the lesion\n")
    second, _, tail = rest.partition("within:")
    assert written == f"{head}  # the lesion\n{second}  # the anatomy\n{first}within:{tail}"
    assert write_form(written, read_form(written)) == written
    one_line = read_form(IN_ONE_LINE)
    assert (
        asked(read_form(write_form(IN_ONE_LINE, replace(one_line, needs=one_line.needs[::-1]))))
        == asked(one_line)[::-1]
    )


def test_needs_come_into_a_rule_that_had_none_and_go_again() -> None:
    form = read_form(LOCALIZER)
    t1 = Need("t1", Group("all", (Clause("SeriesDescription", "contains", ("t1",)),)))
    written = write_form(
        LOCALIZER, replace(form, needs=(t1, replace(t1, name="t1-more")), within="4 h", missing="proceed")
    )
    assert written == LOCALIZER.replace(
        "then:",
        "needs:\n  t1: {SeriesDescription: {contains: t1}}\n  t1-more: {SeriesDescription: {contains: t1}}\n"
        "within: 4 h\nelse: proceed\nthen:",
    )
    assert write_form(written, replace(read_form(written), needs=(), within="", missing="")) == LOCALIZER


def test_a_rule_of_needs_alone_gets_no_when() -> None:
    text = without_line(without_line(RULE, "when:"), "Modality: MR")
    form = read_form(text)
    assert write_form(text, replace(form, within="2 h")) == text.replace("within: 4 h", "within: 2 h")
    more = replace(form, when=Group("all", (Clause("Modality", "equals", ("MR",)),)))
    assert read_form(write_form(text, more)).when.parts == more.when.parts


def test_two_needs_of_one_name_are_refused_by_that_name() -> None:
    form = read_form(RULE)
    for changed in (with_need(form, 1, name="t1"), replace(form, needs=(*form.needs, replace(form.needs[0], at="")))):
        with pytest.raises(NotAFormError, match="two needs are called t1"):
            write_form(RULE, changed)


def test_what_the_form_writes_is_a_rule() -> None:
    form = read_form(RULE)
    text = write_form(
        RULE, replace(form, needs=(form.needs[1], form.needs[0], replace(form.needs[0], name="t2", at="")))
    )
    mistakes = check_rule_set({"a.yaml": text})
    assert [str(one) for one in mistakes if one.severity is Severity.ERROR] == []


_NAMES = st.sampled_from(["t1", "flair", "t2", "post", "on", "1"])
_CLAUSES = st.sampled_from(
    [POST, Clause("Modality", "in", ("MR", "CT")), Clause("SeriesDescription", "contains", ("x: y",))]
)


def _edited(needs: Sequence[Need]) -> st.SearchStrategy[tuple[Need, ...]]:
    fresh = st.builds(Need, _NAMES, st.builds(Group, st.just("all"), st.lists(_CLAUSES, max_size=2).map(tuple)))
    kept = st.sampled_from(needs)
    named = st.builds(lambda need, name: replace(need, name=name), kept, _NAMES)
    emptied = kept.map(lambda need: replace(need, when=replace(need.when, parts=need.when.parts[1:])))
    changed = st.lists(st.one_of(kept, named, emptied, fresh), max_size=4, unique_by=lambda need: need.name)
    return changed.map(tuple)


@pytest.mark.parametrize("text", [RULE, IN_ONE_LINE])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_what_the_form_says_is_what_the_text_says_and_comment_lines_stay(text: str, data: st.DataObject) -> None:
    form = read_form(text)
    changed = replace(form, needs=data.draw(_edited(form.needs)))
    if not changed.needs:
        changed = replace(changed, within="", missing="")
    try:
        written = write_form(text, changed)
    except NotAFormError:
        return
    assert asked(read_form(written)) == asked(changed)
    if {need.at for need in form.needs} <= {need.at for need in changed.needs}:
        lines = [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
        assert [line for line in lines if line not in written] == []
