"""Laws that hold for all conditions, headers and files, however hostile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from node.core.rules import Ruler, Subject, Truth, check_rule_set, decide, explain, parse_rule_set
from node.core.rules.conditions import All, AnyOf, Not, Verdict
from node.core.rules.edits import edits
from node.core.rules.folding import fold, fold_pattern, shown
from node.core.rules.operators import Matches, pattern
from node.core.rules.rule_set import STANDING
from node.core.rules.truth import all_of, any_of, negated
from node.errors import BadConfiguration

TRUTHS = st.lists(st.sampled_from(list(Truth)), max_size=6)


@settings(deadline=None)  # the machine may be busy
@given(TRUTHS)
def test_de_morgan_holds_with_unknowns(truths: list[Truth]) -> None:
    assert negated(all_of(truths)) is any_of([negated(truth) for truth in truths])


@settings(deadline=None)  # the machine may be busy
@given(TRUTHS, TRUTHS)
def test_grouping_and_order_do_not_matter(one: list[Truth], other: list[Truth]) -> None:
    assert all_of([all_of(one), all_of(other)]) is all_of(other + one)
    assert any_of([any_of(one), any_of(other)]) is any_of(other + one)


@pytest.mark.parametrize("combine", [all_of, any_of])
def test_an_answer_given_beside_unknowns_stays_when_they_become_known(combine: object) -> None:
    assert combine in (all_of, any_of)
    function = all_of if combine is all_of else any_of
    for parts in product(Truth, repeat=3):
        answer = function(parts)
        if answer is not Truth.UNKNOWN:
            known = [[Truth.TRUE, Truth.FALSE] if part is Truth.UNKNOWN else [part] for part in parts]
            assert {function(completed) for completed in product(*known)} == {answer}


@settings(deadline=None)  # the machine may be busy
@given(st.text())
def test_folding_twice_is_folding_once_and_case_and_accents_are_gone(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert fold(text).encode() is not None


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=300), st.integers(1, 80))
def test_what_is_shown_is_bounded_and_printable(text: str, at_most: int) -> None:
    assert len(shown(text, at_most)) <= at_most
    assert shown(text, at_most).isprintable()


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=80))
def test_any_pattern_is_compiled_or_refused_and_never_raises(text: str) -> None:
    found = pattern(text)
    if isinstance(found, Matches):
        assert found.holds("some text") in (True, False)


@settings(deadline=None)  # the machine may be busy
@given(st.text(alphabet="aäßéŁ가か山", min_size=1, max_size=20), st.text(max_size=10))
def test_a_text_without_metacharacters_is_found_by_itself_as_a_pattern(text: str, around: str) -> None:
    found = pattern(text)
    assert isinstance(found, Matches)
    assert fold_pattern(text) == fold_pattern(fold_pattern(text))
    assert found.holds(fold(text))


@pytest.mark.parametrize("hostile", ["(a*)*b", "(a|aa)+$", "(.*.*.*.*=.*)"])
def test_patterns_that_ruin_other_engines_take_linear_time(hostile: str) -> None:
    found = pattern(hostile)
    assert isinstance(found, Matches)
    assert not found.holds("a" * 60_000 + "!")


KEYWORDS = st.sampled_from(
    ["Modality", "EchoTime", "PatientName", "PatientAge", "StudyDate", "StudyTime", "Rows", "ImageType", "Modalty",
     "SOPClassUID", "PixelSpacing", "AcquisitionDateTime", "RequestAttributesSequence.RequestedProcedureDescription",
     "(0019,xx0C) SIEMENS MR HEADER", "series.instances", "series.is_3d", "SmallestImagePixelValue", "not", "any",
     "ReferencedImageSequence", "all", "first"]
)  # fmt: skip
OPERATORS = st.sampled_from(
    ["equals", "in", "contains", "starts", "matches", "at_least", "at_most", "between", "exists", "any", "all"]
)
SCALARS = st.one_of(
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.sampled_from(["MR", "10", "18Y", "2024-01-31", "08:30", "lists.head", "1.2", "(a|b)*c", "[é]"]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYWORDS, OPERATORS), inner, max_size=3)
    ),
    max_leaves=8,
)
CONDITIONS = st.dictionaries(KEYWORDS, TREES, max_size=3)

VRS = st.sampled_from(["DS", "IS", "CS", "LO", "PN", "DA", "TM", "DT", "AS", "US", "FL", "UN", "SQ", "OB", "UI", "??"])
TAGS = st.sampled_from(
    [0x00080005, 0x00080008, 0x00080016, 0x00080020, 0x00080030, 0x00080060, 0x0008002A, 0x00100010, 0x00101010,
     0x00180081, 0x00190010, 0x0019100C, 0x00280010, 0x00280030, 0x00280106, 0x00400275, 0x00081140, 0x52009229]
)  # fmt: skip
VALUES = st.one_of(st.binary(max_size=24), st.sampled_from([b"MR", b"10\\20", b"ISO 2022 IR 87", b"SIEMENS MR HEADER"]))


Elements = list[tuple[int, str, bytes, bool]]
HEADERS = st.lists(st.tuples(TAGS, VRS, VALUES, st.booleans()), max_size=12)


def read(elements: Elements) -> Dataset:
    """A data set as dcmread leaves it: nothing is converted or validated yet."""
    tags = [Tag(number) for number, *_ in elements]
    raw = [RawDataElement(tag, *parts) for tag, parts in zip(tags, map(_parts, elements), strict=True)]
    return Dataset(dict(zip(tags, raw, strict=True)))


def _parts(element: tuple[int, str, bytes, bool]) -> tuple[str, int, bytes, int, bool, bool]:
    _, vr, value, little = element
    return vr, len(value), value, 0, False, little


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CONDITIONS, st.lists(HEADERS, max_size=3))
def test_no_condition_can_raise_on_any_header(when: dict[str, object], series: list[Elements]) -> None:
    datasets = [read(elements) for elements in series]
    # JSON is YAML, except for NaN, which YAML reads as text: a mistake as any other.
    files = {
        "_set.yaml": "lists: {head: [HEAD, BRAIN]}",
        "10.yaml": json.dumps({"name": "hostile", "when": when, "then": ["hold"]}),
    }
    assert isinstance(check_rule_set(files), tuple)
    try:
        rule_set = parse_rule_set(files)
    except BadConfiguration:
        return
    decision = decide(rule_set, Subject(datasets, {"series.instances": len(datasets)}))
    assert explain(decision)
    verdict = decision.outcomes[0].verdict
    assert verdict is not None
    assert STANDING[verdict.truth] is decision.outcomes[0].standing, "compiled and as a tree the answer is the same"
    assert decide(rule_set, Subject(datasets, {"series.instances": len(datasets)})) == decision


MIXED = parse_rule_set(
    {
        "10.yaml": """
name: mixed
when:
  any:
    - {Modality: MR, EchoTime: {any: {at_least: 1}}, PatientName: {contains: a}}
    - {StudyDate: 2024-01-31, StudyTime: {at_most: 12}, AcquisitionDateTime: {at_least: 2024-01-01}}
    - {PatientAge: {at_least: 18Y}, Rows: 7, ImageType: {contains: M}, PixelSpacing: {all: {at_most: 1}}}
    - {SOPClassUID: MRImageStorage, SmallestImagePixelValue: {any: 1}, "(0019,xx0C) SIEMENS MR HEADER": 1}
    - {RequestAttributesSequence.RequestedProcedureDescription: brain, ReferencedImageSequence: {exists: true}}
then: [hold]
"""
    }
)


@settings(max_examples=150, deadline=None)
@given(st.lists(HEADERS, max_size=3))
def test_no_header_can_make_a_good_rule_raise(series: list[Elements]) -> None:
    assert explain(decide(MIXED, Subject([read(elements) for elements in series])))


def turned(verdict: Verdict, found: Mapping[int, Truth]) -> Truth:
    """The answer when some clauses say something else; one that was taken out says what changes nothing."""
    if id(verdict) in found:
        return found[id(verdict)]
    parts = [turned(part, found) for part in verdict.parts]
    if isinstance(verdict.condition, Not):
        return negated(parts[0])
    if isinstance(verdict.condition, All | AnyOf):
        return all_of(parts) if isinstance(verdict.condition, All) else any_of(parts)
    return verdict.truth


@settings(max_examples=150, deadline=None)
@given(st.lists(HEADERS, max_size=2), st.sampled_from([Truth.TRUE, Truth.FALSE]))
def test_the_smallest_edit_turns_the_answer_and_no_part_of_it_does(series: list[Elements], wanted: Truth) -> None:
    verdict = MIXED.rules[0].when.evaluate(Subject([read(elements) for elements in series]), {})
    found = edits(verdict, wanted)
    assert found is not None
    whole = {id(one.verdict): one.wanted for one in found}
    assert turned(verdict, whole) is wanted
    for left_out in whole:
        assert turned(verdict, {one: truth for one, truth in whole.items() if one != left_out}) is not wanted


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(HEADERS, max_size=2), max_size=4))
def test_many_series_are_ruled_on_as_each_is_decided_alone(many: list[list[Elements]]) -> None:
    ruler = Ruler(MIXED)
    for series in [*many, *many]:
        subject = Subject([read(elements) for elements in series])
        decision, ruling = decide(MIXED, subject), ruler.rule(subject)
        assert [one.standing for one in ruling.steps] == [one.standing for one in decision.steps]
        assert (ruling.disposition, ruling.rule) == (decision.disposition, decision.rule)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_no_text_can_make_reading_raise(text: str) -> None:
    assert isinstance(check_rule_set({"10.yaml": text, "_set.yaml": text}), tuple)


@settings(deadline=None)  # the machine may be busy
@given(HEADERS, st.sampled_from(["Modality: MR", "EchoTime: {at_least: 10}", "PatientName: {contains: m}"]))
def test_a_series_of_equal_instances_answers_as_one_instance(elements: Elements, when: str) -> None:
    rule_set = parse_rule_set({"10.yaml": f"name: one\nwhen: {{{when}}}\nthen: [hold]"})
    alone, together = (decide(rule_set, Subject([read(elements)] * count)).outcomes[0] for count in (1, 3))
    assert alone.standing is together.standing
